import type { Engine } from '../../../src/engine/engine.ts'
import type { Preview } from '../../../src/engine/jobs/operation.ts'
import type { JobDetail } from '../../../src/engine/store/view.ts'
import type { Disk } from '../../../src/model/disk.ts'
import type { Job } from '../../../src/model/job.ts'
import type { PerfSample } from '../../../src/model/perf.ts'
import type { Pm } from '../../../src/model/pm.ts'
import type { Storlink } from '../../../src/model/storlink.ts'
import type { Template } from '../../../src/model/template.ts'
import { domainNameFor, type Vm, type VmState } from '../../../src/model/vm.ts'
import { CLEAN, createFakeEngine, type FakeSite } from './fakeEngine.ts'

/** A site that looks the same every time, for screens: the mock-ups' machines, with Korean names and trouble. */

/** 2026-11-23 14:03:22 UTC */
export const NOW = Date.UTC(2026, 10, 23, 14, 3, 22)
const MINUTE = 60_000
const DAY = 24 * 60 * MINUTE

export function uuidOf(kind: number, number: number): string {
  return `${String(kind).repeat(8)}-0000-4000-8000-${String(number).padStart(12, '0')}`
}

export function pmOf(number: number, change: Partial<Pm> = {}): Pm {
  return {
    uuid: uuidOf(1, number),
    name: `xen${number}`,
    destination: `ssh:root@10.0.0.1${number}`,
    cpuCount: 32,
    memoryMib: 128 * 1024,
    readOnly: false,
    createdAt: NOW - 100 * DAY,
    ...change,
    seen: {
      reach: 'up',
      since: NOW - DAY,
      at: NOW - 1000,
      xenVersion: '4.17.3',
      kernel: '6.1.0-28-amd64',
      bootedAt: NOW - 41 * DAY,
      freeMib: 32 * 1024,
      threadsPerCore: 2,
      socketCount: 2,
      dom0MemoryMib: 4096,
      dom0VcpuCount: 4,
      load: 1.25,
      bridges: ['xenbr0', 'xenbr1'],
      ...change.seen,
    },
  }
}

export function vmOf(number: number, name: string, pm: number, state: VmState, change: Partial<Vm> = {}): Vm {
  const uuid = uuidOf(2, number)
  const disk: Disk = {
    uuid: uuidOf(3, number),
    vdev: 'xvda',
    format: 'qcow2',
    sizeMib: 40 * 1024,
    path: `/data/${name}.qcow2`,
    storlink: 1,
    readOnly: false,
    owned: true,
    desc: '',
    createdAt: NOW - 30 * DAY,
  }
  return {
    uuid,
    pm: uuidOf(1, pm),
    origin: 'created',
    name,
    domainName: domainNameFor(name, uuid),
    type: 'hvm',
    vcpuCount: 4,
    maxVcpuCount: 4,
    memoryMib: 8192,
    maxmemMib: 16384,
    boot: { firmware: 'bios' },
    vnc: { listen: '127.0.0.1' },
    disks: [disk],
    drives: [],
    nics: [
      {
        id: number,
        name: 'eth0',
        mac: `00:16:3e:00:00:${(16 + number).toString(16)}`,
        bridge: 'xenbr0',
        ip: `192.168.0.${30 + number}`,
      },
    ],
    extraConfig: '',
    desc: '',
    os: 'Debian 12',
    osArch: 'x86_64',
    createdAt: NOW - 30 * DAY,
    configPath: `/etc/xen/pengx/${uuid}.cfg`,
    configForeign: false,
    ...(state === 'running' || state === 'paused' ? { bootedAt: NOW - 9 * DAY } : {}),
    seen: {
      state,
      since: NOW - 9 * DAY,
      drift: [],
      ...(state === 'running' || state === 'paused' ? { domid: number, vncPort: 5900 + number } : {}),
    },
    ...change,
  }
}

export function storlinkOf(id: number, name: string, pm: number, change: Partial<Storlink> = {}): Storlink {
  return {
    id,
    pm: uuidOf(1, pm),
    name,
    link: `/${name}`,
    type: 'LO',
    level: 'FL',
    shared: false,
    desc: '',
    sizeMib: 1024 * 1024,
    freeMib: 600 * 1024,
    createdAt: NOW - 50 * DAY,
    ...change,
  }
}

export function templateOf(number: number, name: string, change: Partial<Template> = {}): Template {
  const uuid = uuidOf(6, number)
  return {
    uuid: uuidOf(5, number),
    name,
    pm: uuidOf(1, 1),
    os: 'DEBIAN',
    osArch: 'X64',
    desc: '',
    type: 'hvm',
    boot: { order: 'c' },
    disks: [
      {
        uuid,
        format: 'qcow2',
        sizeMib: 10 * 1024,
        path: `/data/${uuid}.qcow2`,
        storlink: 1,
        desc: '',
        createdAt: NOW - 40 * DAY,
      },
    ],
    createdAt: NOW - 40 * DAY,
    ...change,
  }
}

export function jobOf(number: number, operation: string, subject: Vm, change: Partial<Job> = {}): Job {
  return {
    id: uuidOf(4, number),
    number,
    operation,
    subject: { kind: 'vm', id: subject.uuid, name: subject.name },
    state: 'done',
    by: 'http',
    progress: 1,
    step: '',
    stepIndex: 1,
    stepCount: 2,
    createdAt: NOW - 10 * MINUTE,
    startedAt: NOW - 10 * MINUTE,
    finishedAt: NOW - 10 * MINUTE + 1200,
    message: '',
    acknowledged: false,
    ...change,
  }
}

/** Half an hour of samples every 15 s, a wave that is the same every time. */
function samplesOf(high: number): PerfSample[] {
  return Array.from({ length: 120 }, (_, index) => {
    const wave = 0.55 + 0.35 * Math.sin(index / 9)
    return {
      at: NOW - (119 - index) * 15_000,
      cpuPercent: high * wave,
      memoryMib: 8192,
      rxBytes: 10e6 * wave,
      txBytes: 4e6 * wave,
      readBytes: 2e6 * wave,
      writeBytes: 1e6 * wave,
    }
  })
}

export function mockSite(): FakeSite {
  const web01 = vmOf(3, 'web01', 1, 'running')
  const vms = [
    vmOf(1, 'db01', 1, 'running', { memoryMib: 32768, maxmemMib: 32768 }),
    vmOf(2, 'db02', 2, 'shutdown', { memoryMib: 32768, maxmemMib: 32768 }),
    web01,
    vmOf(4, 'web02', 1, 'running'),
    vmOf(5, 'web03', 2, 'running'),
    vmOf(6, 'web04', 2, 'paused'),
    vmOf(7, 'web05', 3, 'crashed'),
    vmOf(8, 'webtest', 3, 'shutdown', { origin: 'found', configForeign: true, configPath: '/etc/xen/webtest.cfg' }),
    vmOf(9, 'web-한국', 4, 'unknown'),
    vmOf(10, 'mail02', 3, 'running', {
      seen: { state: 'running', since: NOW - DAY, domid: 10, drift: ['memory is 6144 MiB there, 8192 MiB here'] },
    }),
  ]
  const down = pmOf(4, {
    seen: {
      reach: 'down',
      since: NOW - 6 * MINUTE,
      at: NOW - 6 * MINUTE,
      problem: 'ssh timeout after 5s (10.0.0.14:22)',
    },
  })
  return {
    report: CLEAN,
    pms: [pmOf(1), pmOf(2, { readOnly: true }), pmOf(3, { seen: { ...pmOf(3).seen, freeMib: 11.5 * 1024 } }), down],
    vms,
    templates: [
      templateOf(1, 'debian12', { bootedAt: NOW - 3 * DAY, desc: 'with our keys' }),
      templateOf(2, 'win-서버', { os: 'WINDOWS' }),
    ],
    backups: [],
    schedules: [],
    storlinks: [storlinkOf(1, 'data', 1), storlinkOf(4, 'vg-fast', 3, { freeMib: 61 * 1024, shared: true })],
    jobs: [
      jobOf(119, 'vm.reboot', web01, {
        state: 'running',
        by: 'terminal',
        progress: 0.63,
        step: 'wait until it is back: 12 of 60 s',
        startedAt: NOW - 4 * MINUTE,
        finishedAt: undefined,
        pivotIndex: 1,
      }),
      jobOf(118, 'vm.create', vms[1]!, { state: 'undone', message: 'no space left on vg-fast', code: 'noSpace' }),
      jobOf(117, 'vm.start', vms[3]!),
      jobOf(115, 'vm.delete', vms[8]!, { state: 'stuck', by: 'terminal', message: 'undo of step 1 failed on xen4' }),
    ],
    samples: {
      [uuidOf(1, 1)]: samplesOf(80),
      [uuidOf(1, 2)]: samplesOf(40),
      [uuidOf(1, 3)]: samplesOf(90),
      ...Object.fromEntries(vms.map((vm, index) => [vm.uuid, samplesOf(30 + index * 10)])),
    },
    settings: {},
  }
}

/** Only these, and without their help: what a menu shows then changes only when the menu does. */
function fewOperations({ operations }: Engine, names: readonly string[]): Engine['operations'] {
  const few = [...operations].filter(([name]) => names.includes(name))
  return new Map(few.map(([name, operation]) => [name, { ...operation, help: `${operation.title}, in one sentence` }]))
}

/** A fake engine with the insides of jobs, plans and commands, as the screens want them. */
export function createScreenEngine(
  site: Partial<FakeSite> = mockSite(),
  options: { readOnly?: boolean; operations?: readonly string[] } = {},
) {
  const fake = createFakeEngine(site, { now: NOW, ...options })
  const listeners = new Set<Parameters<Engine['onCommand']>[0]>()
  const looks: (string | undefined)[] = []
  const details = new Map<string, JobDetail>()
  let planned: Partial<Preview> = {}
  const engine = {
    ...fake,
    operations: options.operations === undefined ? fake.operations : fewOperations(fake, options.operations),
    /** Says what plans look like from now on. */
    plan: (preview: Partial<Preview>) => {
      planned = preview
    },
    detail: (jobId: string, detail: JobDetail) => void details.set(jobId, detail),
    looks,
    ran: (record: Parameters<Parameters<Engine['onCommand']>[0]>[0]) => {
      for (const listener of listeners) listener(record)
    },
    preview: async (name: string, params: Parameters<Engine['preview']>[1]): Promise<Preview> => ({
      ...(await fake.preview(name, params)),
      ...planned,
    }),
    jobDetail: async (jobId: string) => details.get(jobId) ?? { steps: [], events: [], commands: [], locks: [] },
    look: async (pm?: string) => void looks.push(pm),
    onCommand: (listener: Parameters<Engine['onCommand']>[0]) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    // A read-only PM refuses here as it does in the engine.
    refuse: (name: string, params: Parameters<Engine['refuse']>[1]) =>
      options.readOnly ? 'pengx runs read-only' : fake.refuse(name, params),
  }
  return engine
}

export type ScreenEngine = ReturnType<typeof createScreenEngine>
