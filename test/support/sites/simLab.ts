import type { Host, Output } from '../../../src/engine/host/host.ts'
import { run } from '../../../src/engine/host/run.ts'
import { createSimSite, type SimSite } from '../../../src/sim/site.ts'
import { createTurnedClock, type TurnedClock } from '../turnedClock.ts'

/** The three guests of the host whose transcripts are kept, on a simulated PM: the same names, UUIDs and domids. */
export interface SimLab {
  readonly site: SimSite
  readonly clock: TurnedClock
  readonly host: Host
  /** Runs a command line of plain words, whatever its exit. */
  sh(line: string, stdin?: string): Promise<Output>
}

const KERNEL = ['kernel = "/lab/guest-vmlinuz"', 'ramdisk = "/lab/guest-initrd.gz"']

/** As an administrator wrote it there. */
export function labConfig(name: string, type: string, uuid: string, last: number): string {
  const screen = type === 'pv' ? ['vfb = ["vnc=1,vnclisten=127.0.0.1"]'] : []
  const machine = type === 'hvm' ? ['vnc = 1', 'vnclisten = "127.0.0.1"', 'serial = "pty"'] : screen
  return [
    `name = "${name}"`,
    `uuid = "${uuid}"`,
    `type = "${type}"`,
    'vcpus = 1',
    'maxvcpus = 2',
    'memory = 192',
    'maxmem = 256',
    ...KERNEL,
    `extra = "console=hvc0 gname=${name} gip=10.0.2.10${last} quiet"`,
    `disk = ["format=qcow2,vdev=xvda,access=rw,target=/lab/img/${name}-a.qcow2",`,
    `  "format=qcow2,vdev=xvdb,access=rw,target=/lab/img/${name}-b.qcow2"]`,
    `vif = ["mac=00:16:3e:00:00:0${last},bridge=xenbr0"]`,
    ...machine,
    '',
  ].join('\n')
}

export const LAB_UUIDS = {
  pvh1: '578ef491-d44c-4f9f-bd6b-b723edee1151',
  pv1: '1736f6d0-4829-4505-aafa-deb413df388f',
  hvm1: '5136fb5f-f220-495f-ab99-ea96be67c6a4',
} as const

/** A clock that turns itself, and guests that are up. `only` leaves the others out. */
export async function openSimLab(only: readonly string[] = ['pvh1', 'pv1', 'hvm1']): Promise<SimLab> {
  const clock = createTurnedClock({ auto: true })
  const site = createSimSite({ vmCount: 0, pmCount: 1, clock })
  const pm = site.pm('xen1')
  Object.assign(pm, { dom0MemoryMib: 1024, dom0VcpuCount: 2, bootedAt: clock.now() - 480_000 })
  Object.assign(pm, { cpuCount: 2, coresPerSocket: 2, threadsPerCore: 1 })
  const host = site.host('xen1')
  const sh = (line: string, stdin?: string) => {
    const argv = line.split(' ') as [string, ...string[]]
    const okExits = Array.from({ length: 256 }, (_, exit) => exit)
    return run(host, { argv, effect: 'change', okExits, ...(stdin === undefined ? {} : { stdin }) })
  }
  await sh('mkdir -p /lab/img /lab/cfg')
  await sh('touch /lab/guest-vmlinuz /lab/guest-initrd.gz')
  const guests: [keyof typeof LAB_UUIDS, string, number, number][] = [
    ['pvh1', 'pvh', 3, 1],
    ['pv1', 'pv', 1, 2],
    ['hvm1', 'hvm', 4, 4],
  ]
  for (const [name, type, last, domid] of guests) {
    for (const disk of ['a', 'b', 'c']) await sh(`qemu-img create -q -f qcow2 /lab/img/${name}-${disk}.qcow2 64M`)
    await sh(`tee /lab/cfg/${name}.cfg`, labConfig(name, type, LAB_UUIDS[name], last))
    if (!only.includes(name)) continue
    site.pm('xen1').nextDomid = domid
    const created = await sh(`xl create /lab/cfg/${name}.cfg`)
    if (created.exit !== 0) throw new Error(created.stderr)
  }
  await clock.advance(60_000)
  return { site, clock, host, sh }
}
