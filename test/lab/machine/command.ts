// Programs that the lab runs on this machine: their output, or an error that says which program and what it printed.
import { SEARCH_PATH } from '../../support/programs/programs.ts'

export interface Output {
  readonly exit: number
  readonly stdout: string
  readonly stderr: string
}

export interface CommandOptions {
  readonly cwd?: string
  readonly stdin?: string | Blob
  readonly env?: Record<string, string>
  readonly timeoutMs?: number
}

/** Runs a program to its end, whatever its exit code. */
export async function output(argv: readonly string[], options: CommandOptions = {}): Promise<Output> {
  const child = Bun.spawn([Bun.which(argv[0]!, { PATH: SEARCH_PATH }) ?? argv[0]!, ...argv.slice(1)], {
    cwd: options.cwd,
    env: { ...process.env, LC_ALL: 'C', PATH: SEARCH_PATH, ...options.env },
    stdin: options.stdin === undefined ? 'ignore' : new Blob([options.stdin]),
    stdout: 'pipe',
    stderr: 'pipe',
    timeout: options.timeoutMs,
    killSignal: 'SIGKILL',
  })
  const [stdout, stderr, exit] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ])
  return { exit, stdout, stderr }
}

/** Runs a program that must succeed and gives what it printed. */
export async function need(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const result = await output(argv, options)
  if (result.exit === 0) return result.stdout
  const said = (result.stderr.trim() || result.stdout.trim()).split('\n').slice(-15).join('\n')
  throw new Error(`${argv.slice(0, 4).join(' ')}: exit ${result.exit}\n${said}`)
}

/** Tells the person at the terminal what is going on; stderr, so that `lab ssh` output stays clean. */
export function say(line: string): void {
  process.stderr.write(`lab: ${line}\n`)
}

/** Times a stage and says how long it took. */
export async function timed<T>(stage: string, work: () => Promise<T>): Promise<T> {
  const begin = performance.now()
  const result = await work()
  say(`${stage}: ${((performance.now() - begin) / 1000).toFixed(1)} s`)
  return result
}
