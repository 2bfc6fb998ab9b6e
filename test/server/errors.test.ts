import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Fault } from '../../src/sim/stage/faults.ts'
import { act, startVm } from '../support/sites/acts.ts'
import { type SimServer, serveSim, storlinkXml } from './simServer.ts'

/**
 * What goes wrong on a PM is told to who asked: what was to be done to whom, the host, what was being done there, and the
 * last words of what failed. One row an operation and kind of failure.
 */
let sim: SimServer
let vm: string
const TEMPLATE = '77777777-2222-4333-8444-555555555555'
beforeAll(async () => {
  sim = await serveSim()
  vm = (await startVm(sim.world)).uuid
  await act(sim.world, 'template.addNew', { name: 'golden', storlink: 1, size: 64, template: TEMPLATE })
})
afterAll(() => sim[Symbol.asyncDispose]())

const newVm = '<vm><name>web</name><storlink>1</storlink><memory>64</memory><os_disk_size>64</os_disk_size></vm>'
const newTemplate = '<template><name>t</name><disk><storlink>1</storlink><size>5</size></disk></template>'
const DENIED = 'Operation not permitted'

interface Row {
  readonly ask: readonly [method: string, path: () => string, body?: string]
  readonly fault: Pick<Fault, 'match'> & { readonly stderr?: string; readonly kind?: 'lostBefore' }
  readonly status?: number
  readonly code?: string
  /** Whom it was to be done to, and what was being done on the host. */
  readonly says: readonly string[]
}

const ROWS: readonly Row[] = [
  {
    ask: ['POST', () => '/vms/', newVm],
    fault: { match: 'qemu-img create', stderr: 'qemu-img: /data/x: No space left on device\n' },
    code: 'noSpace',
    says: ['cannot create VM web: ', 'qemu-img create on xen1 exited with 1', 'No space left on device'],
  },
  {
    ask: ['POST', () => '/vms/', newVm],
    fault: { match: 'qemu-img create', stderr: 'qemu-img: /data/x: Input/output error\n' },
    says: ['cannot create VM web: ', 'qemu-img create on xen1 exited with 1', 'Input/output error'],
  },
  {
    ask: ['POST', () => `/vms/${vm}/suspend/`],
    fault: { match: 'xl pause', stderr: 'libxl: error: libxl_domain.c:1: pause refused\n' },
    says: ['cannot pause fresh', 'on xen1', 'pause refused'],
  },
  {
    ask: ['POST', () => `/vms/${vm}/poweroff/`],
    fault: { match: 'xl destroy', stderr: 'libxl: error: libxl_domain.c:1: destroy refused\n' },
    says: ['cannot power off fresh', 'on xen1', 'destroy refused'],
  },
  {
    ask: ['POST', () => `/vms/${vm}/interfaces/`, '<vms><interface_name>xenbr0</interface_name></vms>'],
    fault: { match: 'xl network-attach', stderr: 'libxl: error: libxl_nic.c:1: script failed\n' },
    says: ['cannot add an interface to fresh: ', 'xenbr0', 'on xen1', 'script failed'],
  },
  {
    ask: ['POST', () => `/vms/${vm}/disks/`, '<disk><size>8</size></disk>'],
    fault: { match: 'xl block-attach', stderr: 'libxl: error: libxl_disk.c:1: no such back end\n' },
    says: ['cannot add a disk to fresh: ', '/data/', 'on xen1', 'no such back end'],
  },
  {
    ask: ['POST', () => '/storlinks/create/', storlinkXml('more', '/srv')],
    fault: { match: 'df ', stderr: 'df: /srv: Stale file handle\n' },
    says: ['cannot create storlink more: ', 'df on xen1', '/srv', 'Stale file handle'],
  },
  {
    ask: ['POST', () => '/storlinks/create/', storlinkXml('more', '/srv')],
    fault: { match: 'df ', kind: 'lostBefore' },
    status: 503,
    code: 'unreachable',
    says: ['cannot create storlink more: ', 'the connection to xen1 was lost'],
  },
  {
    ask: ['PUT', () => '/storlinks/1/', '<storlink><link>/nowhere</link></storlink>'],
    fault: { match: 'never' },
    code: 'refused',
    says: ['cannot edit storlink data: ', 'link would change from /data to /nowhere', 'VM fresh', 'template golden'],
  },
  {
    ask: ['POST', () => '/v2/templates/add_new/', newTemplate],
    fault: { match: 'chmod', stderr: `chmod: ${DENIED}\n` },
    says: ['cannot add empty template t: ', 'chmod a-w on xen1 exited with 1', DENIED],
  },
  {
    ask: ['POST', () => `/templates/${TEMPLATE}/start/`],
    fault: { match: 'xl create', stderr: 'libxl: error: libxl_create.c:1: no memory for it\n' },
    says: ['cannot boot template golden', 'on xen1', 'no memory for it'],
  },
  {
    ask: ['DELETE', () => `/template/${TEMPLATE}/`],
    fault: { match: 'mv -n', stderr: `mv: ${DENIED}\n` },
    says: ['cannot delete template golden: ', 'on xen1', DENIED],
  },
  {
    ask: ['PUT', () => '/pms/update-authorized-keys/'],
    fault: { match: 'mv ', stderr: 'mv: Read-only file system\n' },
    says: ['cannot spread SSH keys over the site: ', 'on xen1', 'Read-only file system'],
  },
]

describe('a failure on a PM says what, of whom, where and why', () => {
  test.each(ROWS.map((row) => [`${row.ask[0]} ${row.says[0]} ${row.says.at(-1)}`, row] as const))(
    '%s',
    async (_, row) => {
      const [method, path, body] = row.ask
      const { match, stderr = '', kind } = row.fault
      const effect = kind ? ({ kind } as const) : ({ kind: 'failBefore', exit: 1, stderr } as const)
      sim.world.site.faults.add({ match, pm: 'xen1', effect })
      const { status, text, headers } = await sim.ask(method, path(), body)
      sim.world.site.faults.clear()
      for (const words of row.says) expect(text).toContain(words)
      expect([status, /<code>(\w+)</.exec(text)?.[1]]).toEqual([row.status ?? 400, row.code ?? 'commandFailed'])
      expect(headers.has('retry-after')).toBe(status === 503)
      // said once, in one line, and never as a trace
      expect(text.split('cannot ').length).toBeLessThanOrEqual(3)
      expect(text).not.toMatch(/\bat .*\.ts:\d+|undefined|\[object/)
    },
  )
})

test('what cannot be undone says that a person is needed, and who comes after is told of it, not kept waiting', async () => {
  const { faults } = sim.world.site
  faults.add({ match: 'chmod', effect: { kind: 'failBefore', exit: 1, stderr: 'chmod: no\n' } })
  faults.add({
    match: 'rm -f',
    of: 'change',
    skip: 1,
    times: 100,
    effect: { kind: 'failBefore', exit: 1, stderr: 'rm: no\n' },
  })
  const stuck = await sim.ask('POST', '/templates/add_new/', newTemplate)
  faults.clear()
  const { number, state } = sim.world.engine.view.getJob(stuck.headers.get('pengx-job')!)!
  expect([stuck.status, state]).toEqual([400, 'stuck'])
  expect(stuck.text).toContain(`job ${number} is stuck, and what it holds stays locked until a person tries its undo`)
  const next = await sim.ask('POST', '/templates/add_new/', newTemplate)
  expect([next.status, next.headers.get('pengx-job')]).toEqual([400, null])
  expect(next.text).toContain(`job ${number} (template.addNew t) is stuck on what this needs`)
  expect(next.text).toContain('<code>busy</code>')
})
