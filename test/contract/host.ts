import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batch } from '../../src/engine/host/batch.ts'
import type { Command, Host, Process } from '../../src/engine/host/host.ts'
import { endLost } from '../../src/engine/host/lost.ts'
import { run, runAll, runBatch } from '../../src/engine/host/run.ts'
import { isAlive } from '../support/sshd.ts'
import { until } from '../support/until.ts'

/** What every host that runs real programs does alike; they share this machine's files with the test. */
export function hostContract(kind: string, open: () => Promise<Host>): void {
  setDefaultTimeout(30_000)
  describe(kind, () => {
    let host: Host
    let directory: string
    let echo: Server
    const read = (...argv: [string, ...string[]]): Command => ({ argv, effect: 'read' })
    const change = (...argv: [string, ...string[]]): Command => ({ argv, effect: 'change' })
    /** Starts a script that writes its pids into a file, and gives them when they are there. */
    const pidsFrom = async (file: string, count = 1) => {
      const pids = await until(() => {
        const text = readIfThere(file).trim().split('\n').filter(Boolean)
        return text.length >= count ? text.map(Number) : undefined
      }, `${count} pids in ${file}`)
      return pids as number[]
    }

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'pengx-host-'))
      host = await open()
      echo = createServer((socket) => socket.pipe(socket))
      await new Promise<void>((resolve) => echo.listen(join(directory, 'echo.sock'), resolve))
    })
    afterAll(async () => {
      await host.close()
      echo.close()
      rmSync(directory, { recursive: true, force: true })
    })

    test('gives stdout, stderr and the exit status apart', async () => {
      const output = await run(host, { ...read('sh', '-c', 'echo out; echo err >&2; exit 3'), okExits: [3] })
      expect(output).toEqual({ exit: 3, stdout: 'out\n', stderr: 'err\n' })
    })

    test('passes words as they are', async () => {
      const words = ['', ' ', "it's", '"', '$HOME', '`id`', '\\', '*', '-n', 'a\nb', 'é€😀', ';&|<>()!#~']
      const { stdout } = await run(host, read('printf', '%s\\0', ...words))
      expect(stdout.split('\0').slice(0, -1)).toEqual(words)
    })

    test('speaks the plain language', async () => {
      const { stdout } = await run(host, read('sh', '-c', 'echo $LC_ALL; command -v chroot'))
      expect(stdout.split('\n')[0]).toBe('C')
      expect(stdout).toContain('/sbin/chroot')
    })

    test('names signals as shells do', async () => {
      const output = await run(host, { ...read('sh', '-c', 'kill -KILL $$'), okExits: [137] })
      expect(output.exit).toBe(137)
    })

    test('carries 5 MB there and back', async () => {
      const stdin = Array.from({ length: 100_000 }, (_, index) => `${index}:${'x'.repeat(44)}\n`).join('')
      expect(stdin.length).toBeGreaterThan(5_000_000)
      const { stdout } = await run(host, { ...read('cat'), stdin })
      expect(stdout === stdin).toBe(true)
    })

    test('holds back a writer whose reader is slow', async () => {
      const child = await host.open(read('sh', '-c', 'sleep 0.3; wc -c'))
      const writer = child.stdin.getWriter()
      for (let index = 0; index < 64; index++) await writer.write(new Uint8Array(65_536))
      await writer.close()
      expect((await new Response(child.stdout).text()).trim()).toBe(String(64 * 65_536))
      expect(await child.exited).toBe(0)
    })

    test('lets a program end without reading its input', async () => {
      const output = await run(host, { ...read('true'), stdin: 'x'.repeat(3_000_000) })
      expect(output.exit).toBe(0)
    })

    test('says which program is not there', async () => {
      const failure = await host.open(read('no-such-program', 'verb')).catch((error) => error)
      expect(failure).toMatchObject({ code: 'notFound' })
      expect(failure.message).toContain('no-such-program')
      expect(failure.message).toContain(host.name)
    })

    test('a failure names the program, the host, the status and the last words', async () => {
      const failure = await run(host, read('sh', '-c', 'echo no such disk >&2; exit 9')).catch((error) => error)
      expect(failure).toMatchObject({ code: 'commandFailed' })
      expect(failure.message).toContain(`${host.name} exited with 9: no such disk`)
    })

    test('runs a batch in one go', async () => {
      const parts = [
        read('echo', 'one'),
        { ...read('cat'), stdin: 'fed' },
        read('sh', '-c', 'echo oh >&2; exit 4'),
        read('echo', 'last'),
      ]
      expect(await runBatch(host, batch(parts))).toEqual([
        { exit: 0, stdout: 'one\n', stderr: '' },
        { exit: 0, stdout: 'fed', stderr: '' },
        { exit: 4, stdout: '', stderr: 'oh\n' },
        { exit: 0, stdout: 'last\n', stderr: '' },
      ])
      const failure = await runAll(host, batch(parts, { stopOnFailure: true })).catch((error) => error)
      expect(failure).toMatchObject({ code: 'commandFailed' })
    })

    test('runs 30 at once', async () => {
      const outputs = await Promise.all(
        Array.from({ length: 30 }, (_, index) => run(host, read('sh', '-c', `sleep 0.1; echo ${index}`))),
      )
      expect(outputs.map((output) => Number(output.stdout))).toEqual(outputs.map((_, index) => index))
    })

    test('gives a terminal with a size that changes', async () => {
      const script = 'tty >/dev/null && stty size; read -r line; stty size; echo "got $line"; exit 5'
      const child = await host.open({ ...read('sh', '-c', script), pty: { columns: 90, rows: 33 } })
      const screen = collecting(child)
      await until(() => screen.text.includes('33 90'))
      child.resize?.(101, 44)
      const writer = child.stdin.getWriter()
      await writer.write(new TextEncoder().encode('hello\n'))
      await until(() => screen.text.includes('got hello'))
      expect(screen.text).toContain('44 101')
      expect(await child.exited).toBe(5)
      await screen.over
    })

    test('a terminal that is given up takes its program with it', async () => {
      const file = join(directory, 'terminal.pid')
      const controller = new AbortController()
      const child = await host.open(
        { ...read('sh', '-c', `echo $$ >${file}; sleep 1000`), pty: { columns: 80, rows: 24 } },
        controller.signal,
      )
      const [pid] = await pidsFrom(file)
      controller.abort()
      await expect(child.exited).rejects.toMatchObject({ code: 'cancelled' })
      await until(() => !isAlive(pid!))
    })

    test('reaches a Unix socket', async () => {
      const socket = await host.connect(join(directory, 'echo.sock'))
      const heard = new Promise<string>((resolve) => {
        let text = ''
        socket.on('data', (chunk) => {
          text += chunk
          if (text.endsWith('\n')) resolve(text)
        })
      })
      socket.write('{"execute":"qmp_capabilities"}\n')
      expect(await heard).toBe('{"execute":"qmp_capabilities"}\n')
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.end()
      await closed
    })

    test('says that nobody listens at a socket', async () => {
      const failure = await host.connect(join(directory, 'none.sock')).catch((error) => error)
      expect(failure).toMatchObject({ code: 'notFound' })
      expect(failure.message).toContain('none.sock')
    })

    test('an abort ends a change and all of its script before it is told', async () => {
      const file = join(directory, 'change.pids')
      const controller = new AbortController()
      const script = `echo $$ >${file}; sh -c 'echo $$ >>${file}; exec sleep 1000'; echo never >>${file}`
      const child = await host.open(
        { ...change('sh', '-c', script), tag: `job1-${process.pid}.make` },
        controller.signal,
      )
      const pids = await pidsFrom(file, 2)
      controller.abort()
      await expect(child.exited).rejects.toMatchObject({ code: 'cancelled' })
      expect(pids.filter(isAlive)).toEqual([])
      expect(readFileSync(file, 'utf8')).not.toContain('never')
    })

    test('what does not heed TERM is killed', async () => {
      const file = join(directory, 'stubborn.pid')
      const child = await host.open({
        ...read('sh', '-c', `trap '' TERM; echo $$ >${file}; while :; do sleep 0.1; done`),
        timeoutMs: 500,
      })
      const [pid] = await pidsFrom(file)
      await expect(child.exited).rejects.toMatchObject({ code: 'unreachable' })
      await until(() => !isAlive(pid!))
    })

    test('an abort ends a reading command, and is told at once', async () => {
      const file = join(directory, 'read.pid')
      const controller = new AbortController()
      const running = run(host, read('sh', '-c', `echo $$ >${file}; exec sleep 1000`), controller.signal)
      const [pid] = await pidsFrom(file)
      controller.abort()
      await expect(running).rejects.toMatchObject({ code: 'cancelled' })
      await until(() => !isAlive(pid!))
    })

    test('a command that takes too long is ended and says so', async () => {
      const file = join(directory, 'slow.pid')
      const command = { ...read('sh', '-c', `echo $$ >${file}; exec sleep 1000`), timeoutMs: 700 }
      const failure = await run(host, command).catch((error) => error)
      expect(failure).toMatchObject({ code: 'unreachable' })
      expect(failure.message).toContain('did not answer within 0.7 s')
      const [pid] = await pidsFrom(file)
      await until(() => !isAlive(pid!))
    })

    test('an abort before the start starts nothing', async () => {
      const file = join(directory, 'never')
      const failure = await host.open(change('touch', file), AbortSignal.abort()).catch((error) => error)
      expect(failure).toMatchObject({ code: 'cancelled' })
      expect(readIfThere(file)).toBe('')
      await run(host, read('true'))
      expect(await Bun.file(file).exists()).toBe(false)
    })

    test('an abort at whatever moment leaves nothing behind', async () => {
      const tag = `job2-${process.pid}`
      const command = { ...change('sleep', '1008'), tag }
      const ended = Array.from({ length: 14 }, async (_, index) => {
        const controller = new AbortController()
        const timer = setTimeout(() => controller.abort(), index * 30)
        const child = await host.open(command, controller.signal)
        await child.exited
        clearTimeout(timer)
      })
      const outcomes = await Promise.allSettled(ended)
      expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? outcome.reason.code : 'ended'))).toEqual(
        outcomes.map(() => 'cancelled'),
      )
      expect(await endLost(host, tag)).toEqual([])
    })

    test('lost commands are found by their tag and ended; what they left running on purpose is not', async () => {
      const file = join(directory, 'lost.pids')
      const other = join(directory, 'other.pid')
      writeFileSync(file, '')
      // As `xl create` does: a daemon in a session of its own, which has inherited the environment.
      const script = `
        setsid sh -c 'echo $$ >>${file}; exec sleep 1000' </dev/null >/dev/null 2>&1 &
        while [ ! -s ${file} ]; do sleep 0.02; done
        echo $$ >>${file}
        sh -c 'echo $$ >>${file}; exec sleep 1001' </dev/null >/dev/null 2>&1
        echo never >>${file}`
      const lost = await host.open({ ...change('sh', '-c', script), tag: `job7-${process.pid}.copy disk` })
      const bystander = await host.open({
        ...change('sh', '-c', `echo $$ >${other}; exec sleep 1002`),
        tag: `job77-${process.pid}.copy disk`,
      })
      const [daemon, shell, worker] = await pidsFrom(file, 3)
      const [spared] = await pidsFrom(other)
      const ended = await endLost(host, `job7-${process.pid}`)
      expect(ended.map((command) => command.pid).sort()).toEqual([shell!, worker!].sort())
      expect(ended.map((command) => command.tag)).toEqual([
        `job7-${process.pid}.copy disk`,
        `job7-${process.pid}.copy disk`,
      ])
      expect(ended.map((command) => command.program).sort()).toEqual(['sh', 'sleep'])
      expect([shell!, worker!].filter(isAlive)).toEqual([])
      expect([daemon!, spared!].filter(isAlive)).toEqual([daemon!, spared!])
      expect(await lost.exited).toBe(143)
      expect(readFileSync(file, 'utf8')).not.toContain('never')
      expect(await endLost(host, `job7-${process.pid}.copy disk`)).toEqual([])
      process.kill(daemon!, 'SIGKILL')
      expect(await endLost(host, `job77-${process.pid}`)).toHaveLength(1)
      await bystander.exited
    })

    test('of a lost program that is no shell only itself is ended', async () => {
      const file = join(directory, 'program.pids')
      const argv = [
        'perl',
        '-e',
        `if (!fork) { exec 'sleep', '1003' } open F, '>', '${file}.new';
        print F "$$\\n"; close F; rename '${file}.new', '${file}'; wait`,
      ] as [string, ...string[]]
      const lost = await host.open({ ...change(...argv), tag: `job8-${process.pid}.create` })
      const [pid] = await pidsFrom(file)
      const children = () =>
        readIfThere(`/proc/${pid}/task/${pid}/children`).trim().split(' ').filter(Boolean).map(Number)
      const [child] = (await until(() => children().length > 0 && children())) as number[]
      const ended = await endLost(host, `job8-${process.pid}`)
      expect(ended.map((command) => command.pid)).toEqual([pid!])
      expect(isAlive(child!)).toBe(true)
      process.kill(child!, 'SIGKILL')
      await lost.exited
    })
  })
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function collecting(child: Process): { text: string; over: Promise<void> } {
  const screen = { text: '', over: Promise.resolve() }
  const decoder = new TextDecoder()
  screen.over = (async () => {
    for await (const chunk of child.stdout) screen.text += decoder.decode(chunk, { stream: true })
  })()
  return screen
}
