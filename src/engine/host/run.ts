import { quoteArgv } from '../../lib/quote.ts'
import { PengxError } from '../../model/error.ts'
import { type BatchOptions, batch, splitBatch } from './batch.ts'
import type { Command, Host, Output } from './host.ts'

const NOT_REACHED: Output = { exit: 1, stdout: '', stderr: 'it was not reached' }

/**
 * Runs a command to its end and gives all that it said. Fails with `commandFailed` for an exit that is not in
 * `okExits` (default: 0), `noSpace` where that is what it complains of, and as `Host.open` does.
 */
export async function run(host: Host, command: Command, signal?: AbortSignal): Promise<Output> {
  const output = await collect(host, command, signal)
  if (!(command.okExits ?? [0]).includes(output.exit)) throw commandFailure(host, command, output)
  return output
}

/**
 * Runs a batch and gives the output of each part; a part that failed is looked at by the caller. Shorter than the
 * batch where it was ended early; `commandFailed` where not even its first part was.
 */
export async function runBatch(host: Host, command: Command, signal?: AbortSignal): Promise<Output[]> {
  const output = await collect(host, command, signal)
  const parts = splitBatch(output)
  if (parts.length === 0) throw commandFailure(host, command, output)
  return parts
}

/** So that the script of one batch stays well under what a shell takes as one word (128 KiB). */
const COMMANDS_A_BATCH = 200

/** How each batch is made, and what stands beside its options in a command (host.ts). */
export type RunMany = BatchOptions & Pick<Command, 'tag' | 'passing'>

/**
 * Runs any number of commands in as few round trips as that takes, and gives the output of each; a part that was not
 * reached has exit 1. A failed part is the caller's to look at.
 */
export async function runMany(
  host: Host,
  commands: readonly Command[],
  { tag, passing, ...options }: RunMany = {},
  signal?: AbortSignal,
): Promise<Output[]> {
  const its = { ...(tag === undefined ? {} : { tag }), ...(passing ? { passing } : {}) }
  const outputs: Output[] = []
  for (let start = 0; start < commands.length; start += COMMANDS_A_BATCH) {
    const some = commands.slice(start, start + COMMANDS_A_BATCH)
    const said = await runBatch(host, { ...batch(some, options), ...its }, signal)
    outputs.push(...some.map((_, index) => said[index] ?? NOT_REACHED))
  }
  return outputs
}

/**
 * Runs a batch of which every part must succeed: `commandFailed` (`noSpace`) names the first that did not. Only with
 * `stopOnFailure` were those behind it not run.
 */
export async function runAll(host: Host, command: Command, signal?: AbortSignal): Promise<Output[]> {
  const outputs = await runBatch(host, command, signal)
  command.parts?.forEach((part, index) => {
    const output = outputs[index]
    if (output === undefined || !(part.okExits ?? [0]).includes(output.exit)) {
      throw commandFailure(host, part, output ?? NOT_REACHED)
    }
  })
  return outputs
}

/** As `run`, and hands on what it says while it works (qemu-img's progress; xl speaks on stderr). */
export async function runWatched(
  host: Host,
  command: Command,
  onText: (text: string) => void,
  signal?: AbortSignal,
  from: 'stdout' | 'stderr' = 'stdout',
): Promise<Output> {
  const output = await collect(host, command, signal, { [from]: onText })
  if (!(command.okExits ?? [0]).includes(output.exit)) throw commandFailure(host, command, output)
  return output
}

async function collect(
  host: Host,
  command: Command,
  signal?: AbortSignal,
  on: { readonly stdout?: (text: string) => void; readonly stderr?: (text: string) => void } = {},
): Promise<Output> {
  const process = await host.open(command, signal)
  const feed = writeAll(process.stdin, command.stdin ?? '')
  const [stdout, stderr, exit] = await Promise.all([
    on.stdout ? listen(process.stdout, on.stdout) : new Response(process.stdout).text(),
    on.stderr ? listen(process.stderr, on.stderr) : new Response(process.stderr).text(),
    process.exited,
    feed,
  ])
  return { exit, stdout, stderr }
}

async function listen(stream: ReadableStream<Uint8Array>, onText: (text: string) => void): Promise<string> {
  const decoder = new TextDecoder()
  let all = ''
  for await (const chunk of stream) {
    const text = decoder.decode(chunk, { stream: true })
    onText(text)
    all += text
  }
  return all
}

/** A program may end without reading its input: that is its right, and no failure of the write. */
async function writeAll(stream: WritableStream<Uint8Array>, input: string | Uint8Array): Promise<void> {
  const writer = stream.getWriter()
  try {
    const bytes = typeof input === 'string' ? new TextEncoder().encode(input) : input
    if (bytes.length > 0) await writer.write(bytes)
    await writer.close()
  } catch {
    await writer.abort().catch(() => undefined)
  }
}

/** Pure. The command as a person may see it: quoted, masked, without what it is fed. */
export function displayCommand(command: Command): string {
  if (command.parts) return command.parts.map(displayCommand).join(' ; ')
  const masked = command.masked ?? []
  return quoteArgv(command.argv.map((word, index) => (masked.includes(index) ? '***' : word)))
}

/**
 * The error for a command that failed, not thrown here: its last words go into the text, all of them into `cause`.
 * `noSpace` where a disk is full, else `commandFailed`.
 */
export function commandFailure(host: Host, command: Command, output: Output): PengxError {
  const said = (output.stderr.trim() || output.stdout.trim()).split('\n')
  const words = said.slice(-3).join(' | ')
  const code = /no space left on device/i.test(output.stderr) ? 'noSpace' : 'commandFailed'
  const program =
    command.argv[0] === 'sh' && command.parts ? displayCommand(command) : command.argv.slice(0, 2).join(' ')
  return new PengxError(code, `${program} on ${host.name} exited with ${output.exit}${words ? `: ${words}` : ''}`, {
    cause: output,
  })
}
