import { CODES } from '../../src/engine/verify/codes.ts'
import type { VerifyReport } from '../../src/model/finding.ts'
import type { Pm } from '../../src/model/pm.ts'
import type { Storlink } from '../../src/model/storlink.ts'
import type { Vm } from '../../src/model/vm.ts'
import { type Server, type ServerOptions, startServer } from '../../src/server/serve.ts'
import { createFakeEngine, type FakeEngine } from '../support/sites/fakeEngine.ts'
import { runTemplates, templatesOf, USED } from './siteTemplates.ts'

/** A small site with fixed ids and times: two PMs, three VMs, three storlinks, two templates. */

export const PM_A = '0a000000-0000-4000-8000-000000000001'
export const PM_B = '0a000000-0000-4000-8000-000000000002'
export const WEB = '0b000000-0000-4000-8000-000000000001'
export const DB = '0b000000-0000-4000-8000-000000000002'
export const LOST = '0b000000-0000-4000-8000-000000000003'
export const JOB = '0c000000-0000-4000-8000-000000000001'
const MADE_DISK = '0d000000-0000-4000-8000-0000000000ff'
export const MADE = '0b000000-0000-4000-8000-0000000000ff'

/** The one disk that each VM has at first. */
export const diskOf = (vm: string): string => vm.replace('0b', '0d')

const AT = Date.UTC(2026, 10, 20, 8, 30, 0)

function pm(uuid: string, name: string, more: Partial<Pm> = {}): Pm {
  return {
    uuid,
    name,
    destination: `sim:${name}`,
    cpuCount: 8,
    memoryMib: 16_384,
    readOnly: false,
    createdAt: AT,
    seen: {
      reach: 'up',
      since: AT,
      at: AT,
      freeMib: 12_288,
      threadsPerCore: 2,
      bridges: ['xenbr0', 'xenbr1'],
      interfaces: [
        { name: 'eth0', mac: '52:54:00:00:00:01', ip: '192.0.2.10' },
        { name: 'xenbr0', mac: '', ip: '' },
      ],
    },
    ...more,
  }
}

function vm(uuid: string, name: string, more: Partial<Vm> = {}): Vm {
  return {
    uuid,
    name,
    domainName: name,
    pm: PM_A,
    type: 'hvm',
    vcpuCount: 2,
    maxVcpuCount: 2,
    memoryMib: 1_024,
    maxmemMib: 2_048,
    boot: { order: 'c' },
    vnc: { listen: '127.0.0.1', password: 'sEcreT12' },
    disks: [
      {
        uuid: diskOf(uuid),
        vdev: 'xvda',
        format: 'qcow2',
        sizeMib: 10_240,
        path: `/data/${uuid}.qcow2`,
        storlink: 1,
        readOnly: false,
        owned: true,
        desc: '',
        createdAt: AT,
      },
    ],
    drives: [],
    nics: [{ id: 7, name: 'eth0', mac: '00:16:3e:00:00:01', bridge: 'xenbr0', ip: '' }],
    extraConfig: '',
    origin: 'created',
    desc: '',
    os: 'DEBIAN',
    osArch: 'X64',
    createdAt: AT,
    bootedAt: AT + 60_000,
    configPath: `/etc/xen/pengx/${uuid}.cfg`,
    configForeign: false,
    seen: { state: 'running', since: AT, domid: 3, vncPort: 5_903, drift: [] },
    ...more,
  }
}

function storlink(id: number, pmUuid: string, name: string, link = '/data'): Storlink {
  const sizes = { sizeMib: 102_400, freeMib: 51_200 }
  return {
    id,
    pm: pmUuid,
    name,
    link,
    type: 'LO',
    level: 'FL',
    shared: false,
    desc: 'VM store',
    ...sizes,
    createdAt: AT,
  }
}

const REPORT: VerifyReport = {
  at: AT,
  findings: [
    {
      code: 'VOLUME_MISSING',
      severity: 'danger',
      subject: { kind: 'vm', id: DB, name: 'db <&> "1"' },
      pm: PM_A,
      path: `/data/${diskOf(DB)}.qcow2`,
      text: `disk xvda of VM db <&> "1" is not there: /data/${diskOf(DB)}.qcow2`,
    },
    {
      code: 'LEFTOVER',
      severity: 'note',
      subject: { kind: 'storlink', id: '1', name: 'store1' },
      pm: PM_A,
      path: `/data/${MADE_DISK}.qcow2.new`,
      text: `/data/${MADE_DISK}.qcow2.new: job 1 (vm.create) has left it unfinished`,
      repair: { operation: 'storlink.clean', params: { storlink: 1, paths: [`/data/${MADE_DISK}.qcow2.new`] } },
    },
  ],
  codes: CODES.filter(({ code }) => code === 'VOLUME_MISSING' || code === 'LEFTOVER'),
  volumes: [],
  counts: { pms: 1, vms: 3, volumes: 4, images: 3 },
}

export function createSite(): FakeEngine {
  const down = { reach: 'down', since: AT, at: AT, problem: 'no route to host' } as const
  const engine = createFakeEngine({
    pms: [pm(PM_A, 'dom0-a'), pm(PM_B, 'dom0-b', { seen: down })],
    vms: [
      vm(DB, 'db <&> "1"', { domainName: `vm-${DB}`, seen: { state: 'shutdown', since: AT, drift: [] }, nics: [] }),
      vm(LOST, 'lost', { pm: PM_B, seen: { state: 'unknown', since: AT, drift: [] } }),
      vm(WEB, 'web01', { template: USED }),
    ],
    storlinks: [storlink(1, PM_A, 'store1'), storlink(2, PM_B, 'store2'), storlink(3, PM_A, 'store3', '/data3')],
    templates: templatesOf(PM_A, AT),
    samples: { [PM_A]: [{ at: AT, cpuPercent: 12.4, rxBytes: 1_500, txBytes: 700 }] },
    settings: { self: PM_A },
    report: REPORT,
    jobs: [
      {
        id: JOB,
        number: 1,
        operation: 'vm.create',
        subject: { kind: 'vm', id: WEB, name: 'web01' },
        state: 'running',
        by: 'terminal',
        progress: 0.426,
        step: 'make disk xvda: 436 of 1024 MiB',
        stepIndex: 1,
        stepCount: 3,
        createdAt: AT,
        startedAt: AT,
        message: '',
        acknowledged: false,
      },
    ],
  })
  engine.onRun('disk.create', async (params) => {
    const { vm: owner, size, format, desc } = params as { vm: string; size: number; format: 'qcow2'; desc: string }
    const made = { uuid: MADE_DISK, vdev: 'xvdb', format, sizeMib: size, desc, path: `/data/${MADE_DISK}.qcow2` }
    const disk = { ...made, storlink: 1, readOnly: false, owned: true, createdAt: AT }
    const vms = engine.site.vms.map((each) => (each.uuid === owner ? { ...each, disks: [...each.disks, disk] } : each))
    engine.set({ vms }, [{ kind: 'vm', id: owner }])
    return { result: { uuid: MADE_DISK, vdev: 'xvdb' } }
  })
  runTemplates(engine)
  engine.onRun('vm.create', async () => ({ result: { uuid: MADE, name: 'new01' } }))
  return engine
}

/** Both PMs are up, and see the disks of all VMs. */
export function joinSite(engine: FakeEngine): void {
  const { pms, storlinks } = engine.site
  const seen = pms.find((one) => one.uuid === PM_A)!.seen
  engine.set({
    pms: pms.map((one) => ({ ...one, seen })),
    storlinks: storlinks.map((one) => ({ ...one, shared: true })),
  })
}

export interface Served {
  readonly engine: FakeEngine
  readonly server: Server
  readonly logged: object[]
  ask(method: string, path: string, options?: { body?: string; headers?: Record<string, string> }): Promise<Response>
}

/** The server in front of a site, on a free port of the loopback. */
export async function serveSite(engine = createSite(), options: Partial<ServerOptions> = {}): Promise<Served> {
  const logged: object[] = []
  const log = { info: () => undefined, error: (fields: object) => void logged.push(fields) }
  const server = await startServer(engine, { listen: '127.0.0.1:0', noAuth: true, log, ...options })
  return {
    engine,
    server,
    logged,
    ask: (method, path, { body, headers = {} } = {}) => {
      const typed: Record<string, string> = body === undefined ? {} : { 'Content-Type': 'application/xml' }
      return fetch(server.url + path, {
        method,
        headers: { ...typed, ...headers },
        ...(body === undefined ? {} : { body }),
      })
    },
  }
}
