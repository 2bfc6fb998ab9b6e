import { Database } from 'bun:sqlite'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { JobRows } from '../../../src/engine/store/jobs/jobRows.ts'
import { openStore, type Store } from '../../../src/engine/store/store.ts'
import { type Clock, systemClock } from '../../../src/lib/clock.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import type { Disk } from '../../../src/model/disk.ts'
import type { Nic } from '../../../src/model/nic.ts'
import { emptyPmSeen, type Pm } from '../../../src/model/pm.ts'
import type { Storlink } from '../../../src/model/storlink.ts'
import type { Vm } from '../../../src/model/vm.ts'

export function aPm(more: Partial<Pm> = {}): Pm {
  const uuid = more.uuid ?? newUuid()
  return {
    uuid,
    name: `xen-${uuid.slice(0, 8)}`,
    destination: `ssh:${uuid.slice(0, 8)}.example`,
    cpuCount: 8,
    memoryMib: 65_536,
    readOnly: false,
    createdAt: 1_000,
    seen: emptyPmSeen(1_000),
    ...more,
  }
}

export function aVm(pm: string, more: Partial<Vm> = {}): Vm {
  const uuid = more.uuid ?? newUuid()
  const name = more.name ?? `vm-of-${uuid.slice(0, 8)}`
  return {
    uuid,
    pm,
    name,
    domainName: name,
    origin: 'created',
    type: 'pvh',
    vcpuCount: 1,
    maxVcpuCount: 2,
    memoryMib: 512,
    maxmemMib: 1_024,
    boot: { kernel: '/boot/vmlinuz', cmdline: 'root=/dev/xvda' },
    disks: [],
    drives: [],
    nics: [],
    extraConfig: '',
    desc: '',
    os: 'linux',
    osArch: 'x86_64',
    createdAt: 1_000,
    configForeign: false,
    seen: { state: 'shutdown', since: 1_000, drift: [] },
    ...more,
  }
}

export function aDisk(vdev: string, more: Partial<Disk> = {}): Disk {
  const uuid = newUuid()
  return {
    uuid,
    vdev,
    format: 'qcow2',
    sizeMib: 1_024,
    path: `/srv/${uuid}`,
    readOnly: false,
    owned: true,
    desc: '',
    createdAt: 1_000,
    ...more,
  }
}

export function aNic(mac: string, more: Partial<Nic> = {}): Nic {
  return { id: 0, name: 'eth0', mac, bridge: 'xenbr0', ip: '', ...more }
}

export function aStorlink(pm: string, more: Partial<Storlink> = {}): Storlink {
  return {
    id: 0,
    pm,
    name: 'images',
    link: '/srv/images',
    type: 'LO',
    level: 'FL',
    shared: false,
    desc: '',
    sizeMib: 100_000,
    freeMib: 50_000,
    createdAt: 1_000,
    ...more,
  }
}

type NewJob = Parameters<JobRows['create']>[0]

export function aJob(subject = newUuid(), more: Partial<NewJob> = {}): NewJob {
  return {
    operation: 'vm.start',
    subject: { kind: 'vm', id: subject, name: 'web01' },
    by: 'cli',
    params: { vm: subject },
    locks: [{ key: `vm:${subject}`, mode: 'exclusive' }],
    ...more,
  }
}

/** A clock that stands still until it is turned. */
export function handClock(start = 1_700_000_000_000): Clock & { turn(ms: number): void } {
  let now = start
  return {
    now: () => now,
    sleep: systemClock.sleep,
    turn(ms) {
      now += ms
    },
  }
}

/** A directory for one test, with stores in it that are closed with it. */
export interface Place {
  readonly dir: string
  readonly path: string
  open(clock?: Clock): Promise<Store>
  /** What its file holds of locks: those of the first job first. */
  locks(): { key: string; mode: string; job: string; state: string }[]
  [Symbol.asyncDispose](): Promise<void>
}

export function newPlace(): Place {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-store-'))
  const path = join(dir, 'state', 'pengx.db')
  const stores: Store[] = []
  return {
    dir,
    path,
    async open(clock = systemClock) {
      const store = await openStore({ at: { path }, clock })
      stores.push(store)
      return store
    },
    locks() {
      const file = new Database(path, { readonly: true })
      try {
        return file.query('select key, mode, job, state from locks order by number, key').all() as never
      } finally {
        file.close()
      }
    },
    async [Symbol.asyncDispose]() {
      for (const store of stores) await store.close().catch(() => undefined)
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** What a promise fails with, as `code: message`. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
  } catch (error) {
    return `${(error as { code?: string }).code}: ${(error as Error).message}`
  }
  return 'it did not fail'
}
