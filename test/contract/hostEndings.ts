import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { batch } from '../../src/engine/host/batch.ts'
import type { Command, Host } from '../../src/engine/host/host.ts'
import { endLost, endNow } from '../../src/engine/host/lost.ts'
import { run } from '../../src/engine/host/run.ts'
import { isAlive } from '../support/programs/sshd.ts'
import { until } from '../support/until.ts'

/** How every host that runs real programs ends them: proved by pid, on the machine itself. */
export function hostEndingsContract(kind: string, open: () => Promise<Host>): void {
  setDefaultTimeout(30_000)
  describe(`${kind} ends commands`, () => {
    let host: Host
    let directory: string
    const read = (...argv: [string, ...string[]]): Command => ({ argv, effect: 'read' })
    const change = (...argv: [string, ...string[]]): Command => ({ argv, effect: 'change' })
    const copy = (...argv: [string, ...string[]]): Command => ({ ...change(...argv), endable: true })
    /** Starts a script that writes its pids into a file, and gives them when they are there. */
    const pidsFrom = async (file: string, count = 1) => {
      const pids = await until(() => {
        const text = readIfThere(file).trim().split('\n').filter(Boolean)
        return text.length >= count ? text.map(Number) : undefined
      }, `${count} pids in ${file}`)
      return pids as number[]
    }

    beforeAll(async () => {
      directory = mkdtempSync(join(tmpdir(), 'pengx-endings-'))
      host = await open()
    })
    afterAll(async () => {
      await host.close()
      rmSync(directory, { recursive: true, force: true })
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

    test('an abort ends a change that may be ended, and all of its script, before it is told', async () => {
      const file = join(directory, 'change.pids')
      const controller = new AbortController()
      const script = `echo $$ >${file}; sh -c 'echo $$ >>${file}; exec sleep 1000'; echo never >>${file}`
      const child = await host.open({ ...copy('sh', '-c', script), tag: `job1-${process.pid}.make` }, controller.signal)
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
      const command = { ...copy('sleep', '1008'), tag }
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
      const lost = await host.open({ ...copy('sh', '-c', script), tag: `job7-${process.pid}.copy disk` })
      const bystander = await host.open({
        ...copy('sh', '-c', `echo $$ >${other}; exec sleep 1002`),
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

    test('a change that may not be ended goes on to its end, whatever its time and the signal say, and tells how it ended', async () => {
      const file = join(directory, 'whole')
      const controller = new AbortController()
      const said: (string | undefined)[] = []
      const script = `echo begun >>${file}; sleep 1.5; echo whole >>${file}; exit 3`
      const child = await host.open(
        { ...change('sh', '-c', script), tag: `job3-${process.pid}.destroy`, timeoutMs: 300 },
        controller.signal,
        (why) => void said.push(why),
      )
      await until(() => readIfThere(file) === 'begun\n')
      controller.abort()
      expect(await child.exited).toBe(3)
      expect(readIfThere(file)).toBe('begun\nwhole\n')
      expect(said).toEqual([
        `sh -c on ${host.name} has not ended after 0.3 s and is waited for: it is never ended half way`,
        undefined,
      ])
    })

    test('so does a batch that holds one, and one of copies alone is ended', async () => {
      const file = join(directory, 'batch')
      const tag = `job4-${process.pid}.create`
      const parts = (part: Command) => [read('true'), copy('sh', '-c', `echo copied >>${file}`), part]
      const controller = new AbortController()
      const whole = batch(parts(change('sh', '-c', `sleep 1; echo whole >>${file}`)))
      const running = run(host, { ...whole, tag }, controller.signal)
      await until(() => readIfThere(file) === 'copied\n')
      controller.abort()
      expect((await running).exit).toBe(0)
      expect(readIfThere(file)).toBe('copied\nwhole\n')
      const copies = batch(parts(copy('sleep', '1010')))
      const cut = run(host, { ...copies, tag }, AbortSignal.timeout(500))
      await expect(cut).rejects.toMatchObject({ code: 'cancelled' })
      expect(await endLost(host, tag)).toEqual([])
    })

    test('a lost change that may not be ended is waited for; the copy beside it is ended at once', async () => {
      const file = join(directory, 'waited')
      const tag = `job5-${process.pid}`
      // it says its number when what it waits for is what it is called, which on a busy machine takes a moment
      const waits = 'sleep 2 & until grep -q sleep /proc/$!/comm; do :; done'
      const script = `${waits}; echo $$ >${file}; wait; echo whole >>${file}`
      const lost = await host.open({ ...change('sh', '-c', script), tag: `${tag}.destroy` })
      const beside = await host.open({ ...copy('sleep', '1011'), tag: `${tag}.copy` })
      const [pid] = await pidsFrom(file)
      const ended = await endLost(host, tag)
      expect(readIfThere(file)).toBe(`${pid}\nwhole\n`)
      expect(ended.map(({ tag: its, waited }) => [its, waited]).sort()).toEqual([
        [`${tag}.copy`, undefined],
        [`${tag}.destroy`, true],
      ])
      expect(ended.find((one) => one.waited)).toMatchObject({ pid, program: 'sleep' })
      expect([await lost.exited, await beside.exited]).toEqual([0, 143])
    })

    test('one of which somebody knows that it may be ended now, is', async () => {
      const tag = `job6-${process.pid}.carrier`
      const lost = await host.open({ ...change('sleep', '1012'), tag })
      expect(await endNow(host, tag)).toMatchObject([{ tag, program: 'sleep' }])
      expect(await lost.exited).toBe(143)
    })

    test('of a lost program that is no shell only itself is ended', async () => {
      const file = join(directory, 'program.pids')
      const argv = [
        'perl',
        '-e',
        `if (!fork) { exec 'sleep', '1003' } open F, '>', '${file}.new';
        print F "$$\\n"; close F; rename '${file}.new', '${file}'; wait`,
      ] as [string, ...string[]]
      const lost = await host.open({ ...copy(...argv), tag: `job8-${process.pid}.create` })
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
