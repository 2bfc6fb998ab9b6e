import { afterAll, beforeAll, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from '../../src/engine/host/run.ts'
import { createSimSite } from '../../src/sim/site.ts'
import { createTurnedClock } from '../support/turnedClock.ts'

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-site-'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const CHILD = new URL('../support/children/simCrashChild.ts', import.meta.url).pathname

async function killedBy(statePath: string, kind: string, ...argv: string[]) {
  const child = Bun.spawn([process.execPath, CHILD, statePath, kind, ...argv], { stdout: 'ignore', stderr: 'inherit' })
  await child.exited
  return child.signalCode
}

test('a killed process leaves the site as its last change left it', async () => {
  const statePath = join(directory, 'killed.json')
  const reopened = () => createSimSite({ statePath }).pm('xen1')
  expect(await killedBy(statePath, 'dieBefore', 'mkdir', '/data/made')).toBe('SIGKILL')
  expect(Object.keys(createSimSite({ statePath }).filesOn('xen1'))).not.toContain('/data/made')
  expect(await killedBy(statePath, 'dieAfter', 'mkdir', '/data/made')).toBe('SIGKILL')
  expect(Object.keys(createSimSite({ statePath }).filesOn('xen1'))).toContain('/data/made')
  const victim = reopened().domains[0]!.name!
  expect(await killedBy(statePath, 'dieAfter', 'xl', 'destroy', victim)).toBe('SIGKILL')
  expect(reopened().domains.map((domain) => domain.name)).not.toContain(victim)
  expect(existsSync(`${statePath}.new`)).toBe(false)
})

test('what was under way goes on where another process opens the site', async () => {
  const statePath = join(directory, 'under-way.json')
  const clock = createTurnedClock()
  const first = createSimSite({ statePath, clock, vmCount: 4, pmCount: 1 })
  const name = first.pm('xen1').domains[0]!.name!
  await run(first.host('xen1'), { argv: ['xl', 'shutdown', name], effect: 'change' })
  const second = createSimSite({ statePath, clock })
  expect(second.domain(name)?.phase).toBe('up')
  await clock.advance(60_000)
  expect(second.domain(name)).toBeUndefined()
})

test('the same seed is the same site, another is another', () => {
  const clock = createTurnedClock()
  const stateOf = (seed: number) => JSON.stringify(createSimSite({ seed, clock }).state)
  expect(stateOf(3)).toBe(stateOf(3))
  expect(stateOf(4)).not.toBe(stateOf(3))
})

test('the demo has guests in every state, of every type, and configurations of some that do not run', async () => {
  const site = createSimSite()
  expect(site.pmNames).toEqual(['xen1', 'xen2', 'xen3', 'xen4'])
  const domains = site.pmNames.flatMap((name) => site.domainsOn(name))
  const types = site.pmNames.flatMap((name) => site.pm(name).domains.map((domain) => domain.config.type))
  expect(new Set(domains.map((domain) => domain.state))).toEqual(new Set(['running', 'paused', 'shutdown', 'crashed']))
  expect(new Set(types)).toEqual(new Set(['pv', 'pvh', 'hvm']))
  const names = site.pmNames.flatMap((name) =>
    Object.keys(site.filesOn(name)).flatMap((path) => /^\/etc\/xen\/(.+)\.cfg$/.exec(path)?.[1] ?? []),
  )
  expect(names.filter((name) => !domains.some((domain) => domain.name === name)).length).toBeGreaterThan(2)
  expect(domains.map((domain) => domain.name)).toContain('한국어-vm')
  for (const name of site.pmNames) {
    const pm = site.pm(name)
    const used = pm.domains.reduce((sum, domain) => sum + domain.memoryMib, pm.dom0MemoryMib)
    expect(used).toBeLessThan(pm.memoryMib)
    for (const mount of pm.mounts) expect(mount.usedBytes).toBeLessThan(mount.sizeBytes)
  }
})

test('every configuration file of the demo can be started once its domain is gone', async () => {
  const site = createSimSite({ pace: 0 })
  const host = site.host('xen2')
  const paths = Object.keys(site.filesOn('xen2')).filter((path) => /^\/etc\/xen\/.+\.cfg$/.test(path))
  expect(paths.length).toBeGreaterThan(2)
  for (const path of paths) {
    const name = path.slice('/etc/xen/'.length, -'.cfg'.length)
    if (site.domain(name)) await run(host, { argv: ['xl', 'destroy', name], effect: 'change' })
    await run(host, { argv: ['xl', 'create', path], effect: 'change' })
    expect(site.domain(name)?.phase).toBe('up')
  }
})

test('a console and a shell prompt, echo and are left', async () => {
  const site = createSimSite()
  const host = site.host('xen1')
  const { domid, name } = site.pm('xen1').domains[0]!
  const pty = { columns: 80, rows: 24 }
  const typed = async (argv: readonly [string, ...string[]], keys: string) => {
    const child = await host.open({ argv, effect: 'change', pty })
    const writer = child.stdin.getWriter()
    await writer.write(new TextEncoder().encode(keys))
    return { exit: await child.exited, text: await new Response(child.stdout).text() }
  }
  const console_ = await typed(['xl', 'console', String(domid)], 'root\r\x1d')
  expect(console_.exit).toBe(0)
  expect(console_.text).toContain(`${name} login: root`)
  const shell = await typed(['sh', '-l'], 'hostname\rexit\r')
  expect([shell.exit, shell.text]).toEqual([0, 'root@xen1:~# hostname\r\nxen1\r\nroot@xen1:~# exit\r\n'])
})
