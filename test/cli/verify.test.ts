import { afterEach, beforeEach, expect, test } from 'bun:test'
import { collectGarbage } from '../../src/cli/gc.ts'
import { printFindings } from '../../src/cli/verify.ts'
import { run } from '../../src/engine/host/run.ts'
import { fakeIo } from '../support/fakeIo.ts'
import { makeVm } from '../support/sites/acts.ts'
import { openWorld, type World } from '../support/sites/world.ts'

/** `pengx verify` and `pengx gc`, as a person and as a script see them. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

const ALL = { json: false, deep: false, targets: [] }

async function sh(...argv: [string, ...string[]]): Promise<void> {
  await run(world.site.host('xen1'), { argv, effect: 'change' })
}

async function verify(given: Partial<Parameters<typeof printFindings>[1]> = {}) {
  const { io, printed } = fakeIo()
  const exit = await printFindings(world.engine, { ...ALL, ...given }, io)
  return { exit, ...printed }
}

async function gc(given: Partial<Parameters<typeof collectGarbage>[1]> = {}) {
  const { io, printed } = fakeIo()
  const exit = await collectGarbage(world.engine, { json: false, yes: false, ...given }, io)
  return { exit, ...printed }
}

test('a clean site is told so, and over what', async () => {
  await makeVm(world)
  const { exit, out } = await verify()
  expect(exit).toBe(0)
  expect(out).toMatch(/^all is as it is written down: 2 PMs, \d+ VMs, \d+ volumes in storlinks, 2 images\n$/)
  expect(JSON.parse((await verify({ json: true })).out)).toMatchObject({ clean: true, findings: [], codes: [] })
})

test('findings stand by their code, with what helps and the line that repairs', async () => {
  const vm = await makeVm(world)
  const { path } = vm.disks[0]!
  await sh('touch', `${path}.new`)
  await sh('mv', vm.disks[1]!.path, '/root/away')
  const { exit, out } = await verify()
  expect(exit).toBe(1)
  const lines = out.split('\n')
  expect(lines[0]).toStartWith('VOLUME_MISSING (danger): A disk, a frozen layer')
  expect(lines[1]).toStartWith('  Look whether its storage is mounted')
  expect(lines[2]).toMatch(/^ON +PM +WHAT$/)
  expect(lines[3]).toBe(`vm fresh  xen1  disk xvdb of VM fresh is not there: ${vm.disks[1]!.path}`)
  expect(lines).toContain(`  repair: pengx run storlink.clean 1 --paths ${path}.new`)
  const { findings, codes } = JSON.parse((await verify({ json: true })).out)
  expect(findings.map((one: { code: string }) => one.code)).toEqual(['VOLUME_MISSING', 'LEFTOVER'])
  expect(findings[1]).toMatchObject({ pm: 'xen1', path: `${path}.new`, repair: { operation: 'storlink.clean' } })
  expect(codes).toHaveLength(2)
})

test('what is named is asked about alone, and a name that nothing has is refused', async () => {
  const vm = await makeVm(world)
  await sh('mv', vm.disks[1]!.path, '/root/away')
  expect((await verify({ targets: ['fresh'] })).exit).toBe(1)
  expect((await verify({ targets: [vm.disks[1]!.path] })).exit).toBe(1)
  expect((await verify({ targets: ['xen2', 'IMAGE_CORRUPT'] })).exit).toBe(0)
  await expect(verify({ targets: ['nobody'] })).rejects.toThrow('nothing is called "nobody"')
})

test('gc shows why all stays, and takes away only with --yes what may go', async () => {
  const vm = await makeVm(world)
  const { path } = vm.disks[0]!
  await sh('touch', `${path}.new`)
  const dry = await gc()
  expect(dry.exit).toBe(0)
  expect(dry.out).toMatch(new RegExp(`^data +${path} +\\d.* yes +disk xvda of VM fresh$`, 'm'))
  expect(dry.out).toMatch(/\.new +0 MiB +no +job 2 \(vm\.create\) has left it unfinished$/m)
  expect(dry.out).toEndWith('1 may be taken away (0 MiB): pengx gc --yes\n')
  expect(world.site.filesOn('xen1')).toHaveProperty([`${path}.new`])
  const done = await gc({ yes: true, storlink: 'data' })
  expect(done).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/^storlink\.clean data: done in .*\n {2}removed: 1\n$/),
  })
  expect(world.site.filesOn('xen1')).not.toHaveProperty([`${path}.new`])
  expect(await gc({ yes: true })).toMatchObject({ exit: 0, out: 'nothing may be taken away\n' })
  const { volumes, jobs } = JSON.parse((await gc({ json: true })).out)
  expect(volumes.every(({ removable }: { removable: boolean }) => !removable)).toBe(true)
  expect(jobs).toEqual([])
})

test('what cannot be looked at is named', async () => {
  await makeVm(world)
  world.site.faults.unreachable('xen2', 1_000_000)
  expect((await gc()).err).toContain('xen2 was not compared')
  expect((await verify()).exit).toBe(1)
})
