import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openStore } from '../src/engine/store/store.ts'
import { systemClock } from '../src/lib/clock.ts'
import { newUuid } from '../src/lib/ids.ts'
import { emptyPmSeen, type Pm } from '../src/model/pm.ts'
import type { Vm } from '../src/model/vm.ts'

export const PENGX = resolve(import.meta.dir, '../dist/pengx')

/** A port that nobody listens on: the PM is asked, refuses at once, and what is stored is shown. */
const NOWHERE = 'ssh:root@127.0.0.1:1'

/** A store of many VMs, each with a disk and an interface, whose PMs do not answer: what is measured is pengx alone. */
export async function makeStore(vmCount: number): Promise<string> {
  const path = join(mkdtempSync(join(tmpdir(), 'pengx-bench-')), 'pengx.db')
  const store = await openStore({ at: { path }, clock: systemClock })
  const now = Date.now()
  const pm: Pm = {
    uuid: newUuid(),
    name: 'xen1',
    destination: NOWHERE,
    cpuCount: 64,
    memoryMib: 1_048_576,
    readOnly: false,
    createdAt: now,
    seen: { ...emptyPmSeen(now), reach: 'up', at: now, xenVersion: '4.17.5', freeMib: 4096 },
  }
  await store.inventory.putPm(pm)
  for (let index = 0; index < vmCount; index++) await store.inventory.putVm(vmOf(pm, index, now))
  await store.close()
  return path
}

function vmOf(pm: Pm, index: number, now: number): Vm {
  const name = `web${String(index).padStart(5, '0')}`
  const uuid = newUuid()
  const bytes = [index >> 16, (index >> 8) & 255, index & 255].map((byte) => byte.toString(16).padStart(2, '0'))
  return {
    uuid,
    pm: pm.uuid,
    name,
    domainName: name,
    origin: 'created',
    type: 'pvh',
    vcpuCount: 2,
    maxVcpuCount: 4,
    memoryMib: 2048,
    maxmemMib: 4096,
    boot: { kernel: '/boot/vmlinuz', cmdline: 'root=/dev/xvda' },
    disks: [
      {
        uuid: newUuid(),
        vdev: 'xvda',
        format: 'qcow2',
        sizeMib: 10_240,
        path: `/data/${uuid}.qcow2`,
        readOnly: false,
        owned: true,
        desc: '',
        createdAt: now,
      },
    ],
    drives: [],
    nics: [{ id: 0, name: 'eth0', mac: `00:16:3e:${bytes.join(':')}`, bridge: 'xenbr0', ip: '' }],
    extraConfig: '',
    desc: '',
    os: 'Debian 12',
    osArch: 'x86_64',
    createdAt: now,
    configForeign: false,
    seen: {
      state: index % 3 === 0 ? 'shutdown' : 'running',
      since: now,
      drift: [],
      ...(index % 3 === 0 ? {} : { domid: index + 1 }),
    },
  }
}
