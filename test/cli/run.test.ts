import { describe, expect, test } from 'bun:test'
import { parseCommandLine, type RunArgs } from '../../src/args.ts'
import { runOperation } from '../../src/cli/run.ts'
import { PengxError } from '../../src/model/error.ts'
import { emptyPmSeen, type Pm } from '../../src/model/pm.ts'
import type { Vm, VmState } from '../../src/model/vm.ts'
import { fakeIo } from '../support/fakeIo.ts'
import { adoptRunning } from '../support/sites/acts.ts'
import { createFakeEngine } from '../support/sites/fakeEngine.ts'
import { openWorld } from '../support/sites/world.ts'
import { until } from '../support/until.ts'

const at = Date.UTC(2026, 10, 23)

const pm = (uuid: string, name: string): Pm => ({
  uuid,
  name,
  destination: `ssh:root@${name}`,
  cpuCount: 8,
  memoryMib: 16384,
  readOnly: false,
  createdAt: at,
  seen: { ...emptyPmSeen(at), reach: 'up' },
})

const vm = (uuid: string, name: string, on: Pm, state: VmState): Vm => ({
  uuid,
  name,
  domainName: name,
  type: 'pv',
  vcpuCount: 1,
  maxVcpuCount: 1,
  memoryMib: 256,
  maxmemMib: 256,
  boot: {},
  disks: [],
  drives: [],
  nics: [],
  extraConfig: '',
  pm: on.uuid,
  origin: 'adopted',
  desc: '',
  os: '',
  osArch: '',
  createdAt: at,
  configPath: `/etc/xen/${name}.cfg`,
  configForeign: false,
  seen: { state, since: at, drift: [], ...(state === 'running' ? { domid: 3 } : {}) },
})

const xen1 = pm('10000000-0000-4000-8000-000000000001', 'xen1')
const xen2 = pm('20000000-0000-4000-8000-000000000002', 'xen2')
const web = vm('aaaaaaaa-0000-4000-8000-000000000001', 'web01', xen1, 'shutdown')
const db = vm('bbbbbbbb-0000-4000-8000-000000000002', 'db01', xen1, 'running')
const twins = [
  vm('cccccccc-0000-4000-8000-000000000003', 'twin\x1b[31m', xen1, 'shutdown'),
  vm('dddddddd-0000-4000-8000-000000000004', 'twin\x1b[31m', xen2, 'shutdown'),
]

const site = () => createFakeEngine({ pms: [xen1, xen2], vms: [web, db, ...twins] })
const subcommand = (...words: string[]) => parseCommandLine(['run', ...words]).subcommand as RunArgs

async function run(words: string[], options: Parameters<typeof fakeIo>[0] & { engine?: ReturnType<typeof site> } = {}) {
  const engine = options.engine ?? site()
  const ends = fakeIo(options)
  let exit: number | PengxError
  try {
    exit = await runOperation(engine, subcommand(...words), ends.io)
  } catch (error) {
    if (!(error instanceof PengxError)) throw error
    exit = error
  }
  return { exit, engine, ...ends.printed }
}

describe('pengx run', () => {
  test('does it, waits, and says so', async () => {
    const { exit, out, engine } = await run(['vm.start', 'web01'])
    expect(exit).toBe(0)
    expect(out).toBe('vm.start web01: done in 1.0s (job 1)\n')
    expect(engine.started).toMatchObject([{ operation: 'vm.start', params: { vm: web.uuid }, by: 'cli' }])
  })

  test.each(['aaaaaaaa', 'AAAAAAAA-0000', web.uuid])('knows a VM by %s', async (word) => {
    expect((await run(['vm.start', word])).engine.started[0]?.params).toMatchObject({ vm: web.uuid })
  })

  test('a UUID that is too short to be sure is no name', async () => {
    expect((await run(['vm.start', 'aaaaaaa'])).exit).toMatchObject({ code: 'notFound' })
  })

  test('prints job and result as JSON', async () => {
    const engine = site()
    engine.onRun('vm.start', async () => ({ result: { domid: 7 }, message: 'a note' }))
    const { out } = await run(['vm.start', 'web01', '--json'], { engine })
    expect(JSON.parse(out)).toMatchObject({
      job: { number: 1, operation: 'vm.start', state: 'done', message: 'a note', subject: { name: 'web01' } },
      result: { domid: 7 },
    })
  })

  test('a name that several carry is refused with the candidates, without their control characters', async () => {
    const { exit, engine } = await run(['vm.start', 'twin\x1b[31m'])
    expect(exit).toMatchObject({ code: 'refused' })
    const { message } = exit as PengxError
    expect(message).toContain(`\n  ${twins[0]!.uuid}  twin on xen1\n  ${twins[1]!.uuid}  twin on xen2`)
    expect(engine.started).toEqual([])
  })

  test('a name that is not known is believed only after a look, and the near one is named', async () => {
    const engine = createFakeEngine({ pms: [xen1], vms: [db] })
    engine.look = async () => engine.set({ vms: [db, web] })
    expect((await run(['vm.start', 'web01'], { engine })).exit).toBe(0)
    expect((await run(['vm.start', 'web10'])).exit).toMatchObject({
      code: 'notFound',
      message: 'no vm is named "web10"; did you mean web01?',
    })
  })

  test('a refusal is believed only after a look', async () => {
    const engine = createFakeEngine({ pms: [xen1], vms: [vm(web.uuid, 'web01', xen1, 'running')] })
    engine.look = async () => engine.set({ vms: [web] })
    expect((await run(['vm.start', 'web01'], { engine })).exit).toBe(0)
    const { exit } = await run(['vm.start', 'db01'])
    expect(exit).toMatchObject({ code: 'refused' })
    expect((exit as PengxError).message).toStartWith('cannot start db01: ')
  })

  test('a guest that was destroyed by hand a moment ago is started', async () => {
    const world = await openWorld()
    try {
      const { name } = await adoptRunning(world)
      world.site.faults.vanishDomain(name)
      const { io, printed } = fakeIo()
      expect(await runOperation(world.engine, subcommand('vm.start', name), io)).toBe(0)
      expect(printed.out).toStartWith(`vm.start ${name}: done in `)
    } finally {
      await world.close()
    }
  })

  test('only machines that it is about are looked at', async () => {
    const engine = site()
    const looks: (string | undefined)[] = []
    engine.look = async (pm) => void looks.push(pm)
    expect((await run(['vm.start', 'db01'], { engine })).exit).toMatchObject({ code: 'refused' })
    expect(looks).toEqual([xen1.uuid])
  })

  test('what fails gives its reason and its status', async () => {
    const engine = site()
    engine.onRun('vm.start', async () => ({
      state: 'undone',
      code: 'commandFailed',
      message: 'xl create on xen1: no\x1b]0;x\x07 memory',
    }))
    expect(await run(['vm.start', 'web01'], { engine })).toMatchObject({
      exit: 1,
      out: '',
      err: 'pengx: vm.start web01 failed and was undone (job 1): xl create on xen1: no memory\n',
    })
    engine.onRun('vm.start', async () => ({ state: 'undone', code: 'unreachable', message: 'xen1 is down' }))
    expect((await run(['vm.start', 'web01'], { engine })).exit).toBe(4)
    engine.onRun('vm.start', async () => ({ state: 'stuck', code: 'unreachable', message: 'x' }))
    expect((await run(['vm.start', 'web01'], { engine })).exit).toBe(1)
  })

  test('without a terminal what is dangerous wants --yes', async () => {
    const { exit, engine } = await run(['vm.poweroff', 'db01'])
    expect(exit).toMatchObject({ code: 'refused' })
    expect((exit as PengxError).message).toContain('--yes')
    expect(engine.started).toEqual([])
    expect((await run(['vm.poweroff', 'db01', '--yes'])).exit).toBe(0)
  })

  test('on a terminal a disruption asks for y and a destruction for the name', async () => {
    const yes = await run(['vm.poweroff', 'db01'], { answers: ['y'] })
    expect(yes.exit).toBe(0)
    expect(yes.err).toContain(`db01 (vm ${db.uuid})\n  1. `)
    expect((await run(['vm.poweroff', 'db01'], { answers: [''] })).exit).toMatchObject({ code: 'refused' })
    expect((await run(['vm.delete', 'web01'], { answers: ['y'] })).exit).toMatchObject({ code: 'refused' })
    expect((await run(['vm.delete', 'web01'], { answers: [undefined] })).exit).toMatchObject({ code: 'refused' })
    expect((await run(['vm.delete', 'web01'], { answers: ['web01'] })).exit).toBe(0)
  })

  test('--plan prints the plan and does nothing', async () => {
    const { exit, out, engine } = await run(['vm.delete', 'web01', '--plan'])
    expect(exit).toBe(0)
    expect(out).toStartWith(`delete web01 (vm ${web.uuid})\n  1. `)
    expect(engine.started).toEqual([])
  })

  test('ctrl-c undoes', async () => {
    const engine = site()
    const { io, printed, interrupt } = fakeIo()
    const cancelled = Promise.withResolvers<void>()
    const cancel = engine.cancel
    engine.cancel = async (id) => {
      await cancel(id)
      cancelled.resolve()
    }
    engine.onRun('vm.start', async () => {
      await until(interrupt)
      await cancelled.promise
      return {}
    })
    expect(await runOperation(engine, subcommand('vm.start', 'web01'), io)).toBe(1)
    expect(printed.err).toBe(
      '\npengx: undoing job 1; ctrl-c again leaves it to the next start of pengx\n' +
        'pengx: vm.start web01 was cancelled and undone (job 1): cancelled on request\n',
    )
  })

  test('lists the operations, explains one, and names the near one of a mistyped one', async () => {
    const { exit, out, engine } = await run([])
    expect(exit).toBe(2)
    for (const name of engine.operations.keys()) expect(out).toContain(`\n${name} `)
    const help = await run(['vm.create', '--help'])
    expect(help.exit).toBe(0)
    expect(help.out).toStartWith('usage: pengx run vm.create NAME --memory MiB')
    expect(help.out).toContain('--vnc-password -|@FILE')
    const { out: flags } = await run(['snapshot.restore', '--help'])
    expect(flags).toContain('\n--[no-]keep ')
    expect(flags).toContain(
      '\n--keep, --keep true and --keep=true say yes; --no-keep, --keep false and --keep=false say no.\n',
    )
    expect((await run(['vm.reset', '--help'])).out).not.toContain('say yes')
    expect((await run(['vm.stat', 'web01'])).exit).toMatchObject({
      code: 'invalid',
      message: 'unknown operation "vm.stat"; did you mean vm.start?',
    })
  })

  test('parameters are checked by the operation', async () => {
    expect((await run(['vm.start'])).exit).toMatchObject({ code: 'invalid', message: 'vm is missing' })
    expect((await run(['vm.shutdown', 'db01', '--yes', '--timeout', 'soon'])).exit).toMatchObject({
      code: 'invalid',
      message: 'timeout: "soon" is not a number',
    })
    expect((await run(['vm.start', 'web01', '--vm', 'db01'])).exit).toMatchObject({ code: 'invalid' })
  })

  test('a flag reaches the operation, however it is said', async () => {
    const told = async (...words: string[]) => (await run(['pm.spreadKeys', ...words])).engine.started[0]?.params
    for (const words of [['--create'], ['--create', 'true'], ['--create=yes']])
      expect(await told(...words)).toEqual({ create: true })
    for (const words of [[], ['--no-create'], ['--create', 'no'], ['--create=false']])
      expect(await told(...words)).toEqual({ create: false })
  })

  test('an empty text takes a description away, and says nothing of what has to have one', async () => {
    expect((await run(['vm.edit', 'web01', '--desc', ''])).engine.started[0]?.params).toEqual({
      vm: web.uuid,
      desc: '',
    })
    expect((await run(['vm.edit', 'web01', '--desc='])).engine.started[0]?.params).toEqual({ vm: web.uuid, desc: '' })
    expect((await run(['vm.edit', 'web01', '--name', ''])).exit).toMatchObject({
      message: expect.stringContaining('nothing is given to change'),
    })
  })

  test('read-only refuses before it asks', async () => {
    const engine = createFakeEngine({ pms: [xen1], vms: [web] }, { readOnly: true })
    expect((await run(['vm.start', 'web01'], { engine })).exit).toMatchObject({ code: 'readOnly' })
    expect((await run(['vm.start', 'web01', '--read-only'])).exit).toMatchObject({ code: 'readOnly' })
  })
})
