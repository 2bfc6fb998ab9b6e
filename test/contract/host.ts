import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batch } from '../../src/engine/host/batch.ts'
import type { Command, Host, Process } from '../../src/engine/host/host.ts'
import { run, runAll, runBatch } from '../../src/engine/host/run.ts'
import { until } from '../support/until.ts'

/** What every host that runs real programs does alike; they share this machine's files with the test. */
export function hostContract(kind: string, open: () => Promise<Host>): void {
  setDefaultTimeout(30_000)
  describe(kind, () => {
    let host: Host
    let directory: string
    let echo: Server
    const read = (...argv: [string, ...string[]]): Command => ({ argv, effect: 'read' })

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

    test('reaches a Unix socket', async () => {
      const socket = await host.connect(join(directory, 'echo.sock'), 'read')
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
      const failure = await host.connect(join(directory, 'none.sock'), 'read').catch((error) => error)
      expect(failure).toMatchObject({ code: 'notFound' })
      expect(failure.message).toContain('none.sock')
    })
  })
}

function collecting(child: Process): { text: string; over: Promise<void> } {
  const screen = { text: '', over: Promise.resolve() }
  const decoder = new TextDecoder()
  screen.over = (async () => {
    for await (const chunk of child.stdout) screen.text += decoder.decode(chunk, { stream: true })
  })()
  return screen
}
