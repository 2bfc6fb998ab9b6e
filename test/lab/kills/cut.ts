// One run of pengx that is killed at a moment: the process itself, and not only the connection to it.
import { type LabHost, sh } from '../machine/ssh.ts'
import type { Pengx } from '../pengx.ts'

export interface Cut {
  readonly killed: boolean
  /** Until its end, whatever that was. */
  readonly tookMs: number
  /** What it said. */
  readonly said: string
  readonly exit: number
}

/** `run WORDS`, and SIGKILL after so long where it has not ended by then. */
export async function cutOff(host: LabHost, pengx: Pengx, words: readonly string[], afterMs: number): Promise<Cut> {
  const { argv, env } = pengx.argv('run', ...words, '--yes')
  if (pengx.where === 'inside') return await cutInside(host, argv.slice(argv.indexOf(host.name) + 1), afterMs)
  const began = performance.now()
  const child = Bun.spawn(argv, { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs)
  const [stdout, stderr] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
  await child.exited
  clearTimeout(timer)
  const killed = child.signalCode === 'SIGKILL'
  return { killed, tookMs: performance.now() - began, said: `${stderr}${stdout}`, exit: child.exitCode ?? -1 }
}

/** Timed there: a command over ssh begins when it likes. What outlives it must not hold the connection open. */
async function cutInside(host: LabHost, command: readonly string[], afterMs: number): Promise<Cut> {
  const out = `/tmp/cut-${crypto.randomUUID()}`
  const script = `
    began=$(date +%s%3N)
    ${command.join(' ')} >${out} 2>&1 </dev/null & victim=$!
    (sleep ${(afterMs / 1000).toFixed(3)}; kill -9 $victim) >/dev/null 2>&1 </dev/null & killer=$!
    wait $victim 2>/dev/null; exit=$?
    echo "$exit $(($(date +%s%3N) - began))"
    kill $killer 2>/dev/null
    cat ${out}; rm ${out}`
  const text = await sh(host, script, { timeoutMs: 600_000 })
  const [first, ...said] = text.split('\n')
  const [exit, tookMs] = first!.split(' ').map(Number) as [number, number]
  return { killed: exit === 137, tookMs, said: said.join('\n'), exit }
}
