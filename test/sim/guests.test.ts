import { beforeEach, expect, test } from 'bun:test'
import { endNow } from '../../src/engine/host/lost.ts'
import { LAB_UUIDS, openSimLab, type SimLab } from '../support/sites/simLab.ts'
import { transcript } from '../support/transcript.ts'

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab(['pv1'])
})

/** Memory, vcpus and letters of a guest's row, or `gone`. */
async function row(name = 'pv1'): Promise<string> {
  const { stdout } = await lab.sh('xl list')
  const found = stdout.split('\n').find((line) => line.startsWith(`${name} `))
  return found ? found.trim().split(/\s+/).slice(2, 5).join(' ') : 'gone'
}

/** What a row was, each time it changed, while so much time passed; whether it runs or waits is chance. */
async function course(ms: number, name = 'pv1'): Promise<string[]> {
  const seen: string[] = []
  for (let passed = 0; passed <= ms; passed += 20) {
    const now = (await row(name)).replace(/[r-][b-]----/, 'up')
    if (seen.at(-1) !== now) seen.push(now)
    await lab.clock.advance(20)
  }
  return seen
}

const domidOf = () => lab.site.domain('pv1')?.domid

test('a reboot goes the way of a real one: shut down, torn down, nobody, then another domain from nothing', async () => {
  const real = transcript('xl-4.17-reboot').stdout
  for (const letters of ['---sr-', '--psr-', '0     0     --p---', '192     1     --p---'])
    expect(real).toContain(letters)
  expect((await lab.sh('xl reboot pv1')).stderr).toBe('Rebooting domain 2\n')
  expect(await course(4000)).toEqual([
    '192 1 up',
    '192 1 ---sr-',
    '192 1 --psr-',
    'gone',
    '0 0 --p---',
    '192 1 --p---',
    '192 1 up',
  ])
  expect([domidOf(), lab.site.domain('pv1')?.uuid]).toEqual([3, LAB_UUIDS.pv1])
})

test('a guest that was shut down says so, and lingers as --ps--', async () => {
  const real = transcript('xl-4.17-shutdown')
  expect(real.stdout).toMatch(/hvm1 .* --ps-- /)
  const said = real.stderr.replaceAll('omain 4', 'omain 2')
  expect(await lab.sh('xl shutdown -w pv1')).toEqual({ exit: 0, stdout: '', stderr: said })
  expect(await course(2000)).toEqual(['192 1 ---s--', '192 1 --ps--', 'gone'])
})

test('what is killed while it builds stays behind, half built', async () => {
  await lab.sh('xl destroy pv1')
  const command = { argv: ['xl', 'create', '/lab/cfg/pv1.cfg'] as const, effect: 'change' as const, tag: 'job7.create' }
  const child = await lab.host.open(command)
  expect(await endNow(lab.host, 'job7.create')).toMatchObject([{ program: 'xl' }])
  expect(await child.exited).toBe(143)
  await lab.clock.advance(60_000)
  expect(lab.site.domain('pv1')).toMatchObject({ phase: 'building', paused: true })
  expect((await lab.sh('xl destroy pv1')).exit).toBe(0)
  expect(lab.site.domain('pv1')).toBeUndefined()
})

test('a crash is cleaned up, or kept where the configuration says so', async () => {
  lab.site.faults.crashDomain('pv1')
  expect((await lab.sh('xl list -v pv1')).stdout).toMatch(/---sc- .* {8}3 {16}-\n$/)
  await lab.clock.advance(5000)
  expect(await row()).toBe('gone')
  await lab.sh('xl create /lab/cfg/pv1.cfg on_crash="preserve"')
  lab.site.faults.crashDomain('pv1')
  await lab.clock.advance(600_000)
  expect(await row()).toBe('192 1 ---sc-')
})

test('a stubborn guest has to be destroyed', async () => {
  lab.site.faults.ignoreShutdown('pv1')
  expect((await lab.sh('xl shutdown pv1')).exit).toBe(0)
  await lab.clock.advance(3_600_000)
  expect(lab.site.domain('pv1')?.phase).toBe('up')
  expect((await lab.sh('xl destroy pv1')).exit).toBe(0)
})

test('counters grow with the clock, and only with it', async () => {
  const counters = async () => (await lab.sh('cat /proc/net/dev')).stdout
  const first = await counters()
  expect(await counters()).toBe(first)
  const bytes = (text: string) => Number(/vif2\.0: +(\d+)/.exec(text)![1])
  await lab.clock.advance(600_000)
  expect(bytes(await counters())).toBeGreaterThan(bytes(first))
})

test('a domain that lost its name is (null) and answers to its domid alone', async () => {
  lab.site.faults.nullDomain('pv1')
  expect((await lab.sh('xl list')).stdout).toContain('(null)                                       2   192')
  expect((await lab.sh('xl destroy pv1')).exit).toBe(1)
  expect((await lab.sh('xl destroy 2')).exit).toBe(0)
  expect(lab.site.pm('xen1').domains).toEqual([])
})
