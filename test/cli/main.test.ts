import { afterAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PENGX } from '../support/pengx.ts'

/** The real command line in a process of its own, with a home of its own: what a script sees of it. */
const home = mkdtempSync(join(tmpdir(), 'pengx-cli-'))
const env = {
  PATH: process.env.PATH,
  HOME: home,
  XDG_STATE_HOME: join(home, 'state'),
  XDG_CONFIG_HOME: join(home, 'config'),
  LANG: 'C.UTF-8',
}
afterAll(() => rmSync(home, { recursive: true, force: true }))

async function pengx(...words: string[]) {
  const child = Bun.spawn([...PENGX, ...words], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { out, err, exit }
}

describe('done: 0', () => {
  test('--version and --help', async () => {
    expect(await pengx('--version')).toMatchObject({
      out: expect.stringMatching(/^pengx \d+\.\d+\.\d+\n$/),
      err: '',
      exit: 0,
    })
    expect(await pengx('--help')).toMatchObject({
      out: expect.stringContaining('pengx run OPERATION TARGET'),
      err: '',
      exit: 0,
    })
  })

  test('a list is a table whose columns stand under each other, in cells', async () => {
    const { out, exit } = await pengx('--demo', 'vms')
    expect(exit).toBe(0)
    const lines = out.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(20)
    const states = /\b(running|paused|shutdown|crashed|broken|dying|starting|unknown)\b/
    const column = lines[0]!.indexOf('STATE')
    for (const line of lines.slice(1)) {
      const at = states.exec(line)?.index ?? -1
      expect(Bun.stringWidth(line.slice(0, at))).toBe(column)
    }
    expect(lines.some((line) => line.includes('한국어'))).toBe(true)
  })

  test('the same list as JSON, with the number of VMs that was asked for', async () => {
    const { out, exit } = await pengx('--demo=15', 'vms', '--json')
    expect(exit).toBe(0)
    const vms = JSON.parse(out) as Record<string, unknown>[]
    expect(vms).toHaveLength(15)
    expect(vms[0]).toMatchObject({
      uuid: expect.any(String),
      name: expect.any(String),
      pm: expect.stringMatching(/^xen/),
      memoryMib: expect.any(Number),
      autostart: false,
      autostartPaths: [],
    })
    expect(out).not.toContain('password')
  })

  test('the disks, interfaces and snapshots of one VM', async () => {
    const disks = await pengx('--demo', 'disks', 'db01')
    expect(disks).toMatchObject({ err: '', exit: 0 })
    expect(disks.out).toMatch(/^DISK +SIZE +FORMAT +MODE +STORLINK/)
    expect(disks.out).toMatch(/\nxvda +\S+ GiB +/)
    const nics = JSON.parse((await pengx('--demo', 'nics', 'db01', '--json')).out) as object[]
    expect(nics[0]).toMatchObject({ name: 'eth0', mac: expect.stringMatching(/^00:16:3e:/), bridge: 'xenbr0' })
    expect((await pengx('--demo', 'disks', 'db0')).exit).toBe(3)
    const snapshots = await pengx('--demo', 'snapshots', 'db01')
    expect(snapshots).toMatchObject({ out: expect.stringMatching(/^SNAPSHOT +NOW +LAYERS/), err: '', exit: 0 })
  })

  test('a site as it should be is compared, and nothing may be taken away', async () => {
    const { out, exit } = await pengx('--demo=15', 'verify')
    expect([out, exit]).toEqual([expect.stringMatching(/^all is as it is written down: 4 PMs, 15 VMs/), 0])
    const gc = await pengx('--demo=15', 'gc', '--yes')
    expect(gc).toMatchObject({ out: 'nothing may be taken away\n', exit: 0 })
  })

  test('completion makes no store', async () => {
    const db = join(home, 'never', 'site.db')
    expect((await pengx('complete', '--db', db, 'run', 'storlink.cr')).out).toBe('storlink.create\n')
    expect((await pengx('complete', '--demo', 'nics', 'mail')).out).toBe('mail01\nmail02\nmail03\n')
    expect(existsSync(join(home, 'never'))).toBe(false)
  })

  test('perf has rates', async () => {
    const rows = JSON.parse((await pengx('--demo', 'perf', '--json')).out) as { kind: string; cpuPercent?: number }[]
    const pms = rows.filter((row) => row.kind === 'pm')
    expect(pms.length).toBeGreaterThan(1)
    for (const pm of pms) expect(pm.cpuPercent).toBeNumber()
  })

  test('without a terminal the site is printed once', async () => {
    const { out, exit } = await pengx('--demo')
    expect(exit).toBe(0)
    expect(out).toMatch(/^PMS\nNAME /)
    expect(out).toContain('\nVMS\nNAME ')
  })

  test('a job that is done', async () => {
    expect(await pengx('--demo', 'run', 'vm.poweroff', 'web01', '--yes')).toMatchObject({
      out: expect.stringMatching(/^vm\.poweroff web01: done in \S+ \(job 1\)/),
      err: '',
      exit: 0,
    })
  })

  test('the token is made once, for its owner alone', async () => {
    const first = await pengx('token')
    expect(first).toMatchObject({ err: '', exit: 0 })
    expect(first.out).toMatch(/^\S{16,}\n$/)
    expect(await pengx('token')).toEqual(first)
    expect(statSync(join(home, 'state/pengx/token')).mode & 0o777).toBe(0o600)
  })

  test('what has enough of the output does not make it fail', async () => {
    const line = `${PENGX.join(' ')} --demo=300 vms --json | head -n 1; echo "$PIPESTATUS" "\${PIPESTATUS[0]}"`
    const child = Bun.spawn(['bash', '-c', line], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
    expect(await new Response(child.stderr).text()).toBe('')
    expect(await new Response(child.stdout).text()).toBe('[\n0 0\n')
  })

  test('everything is out before the end', async () => {
    const { out } = await pengx('--demo=300', 'vms', '--json')
    // More than a pipe holds (pipe(7): 64 KiB), so something of it had to wait.
    expect(out.length).toBeGreaterThan(128 * 1024)
    expect(JSON.parse(out)).toHaveLength(300)
  })

  test('completion knows operations, parameters and choices', async () => {
    const complete = (...words: string[]) => pengx('complete', '--db', join(home, 'site.db'), ...words)
    await pengx('--db', join(home, 'site.db'), 'jobs')
    expect((await complete('run', 'vm.')).out).toContain('vm.start\n')
    expect((await complete('run', 'vm.create', '--')).out).toContain('--disk-size\n')
    expect((await complete('run', 'vm.create', 'x', '--type', '')).out.split('\n').sort()).toEqual([
      '',
      'hvm',
      'pv',
      'pvh',
    ])
    expect((await pengx('completion', 'bash')).out).toContain('complete -F _pengx pengx')
  })
})

describe('failed: 1', () => {
  test('a guest that ignores its request', async () => {
    expect(await pengx('--demo', 'run', 'vm.shutdown', 'stubborn01', '--timeout', '1', '--yes')).toMatchObject({
      out: '',
      err: expect.stringMatching(/^pengx: vm\.shutdown stubborn01 failed and was undone \(job 1\): .*ignores/),
      exit: 1,
    })
  })
})

describe('wrong usage: 2', () => {
  test.each([
    [['vms', '--jsn'], '--jsn'],
    [['vsm'], 'vms'],
    [['--demo', 'run', 'vm.strat', 'web01'], 'vm.start'],
    [['--demo', 'run', 'vm.start', 'web01', '--forc'], '--forc'],
    [['--demo', 'run', 'vm.shutdown', 'web01', '--yes', '--timeout', 'x'], 'timeout'],
    [['--demo', 'run', 'snapshot.restore', 'web01', '--snapshot', 'x', '--keep=maybe'], 'true, false, yes or no'],
    [['--demo', '--serve', '--listen', 'nowhere'], 'nowhere'],
  ])('%p', async (words, named) => {
    const { out, err, exit } = await pengx(...words)
    expect({ out, exit }).toEqual({ out: '', exit: 2 })
    expect(err).toStartWith('pengx: ')
    expect(err).toContain(named)
  })
})

describe('refused: 3', () => {
  test.each([
    [['--demo', 'run', 'vm.start', 'web01'], 'it is running'],
    [['--demo', 'run', 'vm.poweroff', 'web01'], '--yes'],
    [['--demo', '--read-only', 'run', 'vm.poweroff', 'web01', '--yes'], '--read-only'],
    [['--demo', 'run', 'vm.start', 'web001'], 'did you mean'],
    [['--db', '/nonexistent/pengx.db', 'vms'], '/nonexistent'],
    [['--demo', '--serve', '--listen', '0.0.0.0:0', '--no-auth'], '--no-auth'],
  ])('%p', async (words, named) => {
    const { out, err, exit } = await pengx(...words)
    expect({ out, exit }).toEqual({ out: '', exit: 3 })
    expect(err).toContain(named)
  })
})

describe('not reachable: 4', () => {
  test('no PM answers; what is known of it is printed all the same', async () => {
    const { out, err, exit } = await pengx('--db', join(home, 'far.db'), 'pms', 'root@127.0.0.1:1')
    expect(exit).toBe(4)
    expect(out).toContain('down')
    expect(err).toContain('cannot be reached')
  })

  test('an operation whose PM does not answer leaves no job behind', async () => {
    const db = join(home, 'add.db')
    expect((await pengx('--db', db, 'run', 'pm.add', 'root@127.0.0.1:1')).exit).toBe(4)
    expect(JSON.parse((await pengx('--db', db, 'pms', '--json')).out)).toEqual([])
  })
})

describe('settings', () => {
  test('a wrong line is named and the rest is in force', async () => {
    mkdirSync(join(home, 'config/pengx'), { recursive: true })
    writeFileSync(join(home, 'config/pengx/config.toml'), '[site]\nname = "서울"\nprodction = true\n')
    const { out, err, exit } = await pengx('config')
    rmSync(join(home, 'config'), { recursive: true })
    expect(exit).toBe(0)
    expect(err).toBe(
      `pengx: ${home}/config/pengx/config.toml:3: unknown setting "prodction"; did you mean production?\n`,
    )
    expect(out).toContain('name = "서울"\nproduction = false\n')
  })
})
