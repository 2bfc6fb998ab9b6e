// What the real xl reads in many configurations, asked in one round trip: `xl -N create` parses, builds nothing, and
// prints libxl's JSON.
import { bytesOfText, textOfBytes } from '../../src/lib/bytes.ts'
import type { Reading } from '../corpus/reading.ts'
import { type LabHost, sh } from './machine/ssh.ts'

/** `reading` is absent where xl refused; `said`: what it wrote on its standard error. */
export interface Answer {
  readonly reading?: Reading
  readonly said: string
}

/** Starts no program but xl for each text: under emulation a program takes a tenth of a second to begin. */
const SCRIPT = `
set -e
place=$(mktemp -d /tmp/corpus-XXXXXX)
trap 'rm -rf "$place"' EXIT
cd "$place"
ask() {
  printf %s "$2" >text
  exit=0
  xl -N create text </dev/null || exit=$?
  echo "@ $1 $exit"
  echo "@ $1" >&2
}
`

/** Texts by name, a lone surrogate in them for each byte that is no UTF-8; names have no blanks. */
export async function askXl(host: LabHost, texts: ReadonlyMap<string, string>): Promise<ReadonlyMap<string, Answer>> {
  // the host has two processors, and xl locks nothing while it only reads
  const all = [...texts]
  const half = Math.ceil(all.length / 2)
  const halves = await Promise.all([askInTurn(host, all.slice(0, half)), askInTurn(host, all.slice(half))])
  return new Map(halves.flat())
}

type Named<T> = readonly [name: string, T]

async function askInTurn(host: LabHost, texts: readonly Named<string>[]): Promise<Named<Answer>[]> {
  const questions = texts.map(([name, text]) => `ask ${name} '${text.replaceAll("'", "'\\''")}'\n`)
  const script = `${SCRIPT}{ :\n${questions.join('')} } >out 2>said\nbase64 -w0 out; echo; base64 -w0 said\n`
  const stdin = new Blob([Buffer.from(bytesOfText(script))])
  const printed = await sh(host, 'sh -s', { stdin, timeoutMs: 900_000 })
  const [out, said] = printed.split('\n').map((base64) => textOfBytes(Buffer.from(base64, 'base64')))
  const complaints = new Map(parts(said!).map(({ text, name }) => [name, text]))
  return parts(out!).map(({ text, name, exit }) => [
    name,
    { ...(exit === '0' ? { reading: JSON.parse(text) } : {}), said: complaints.get(name) ?? '' },
  ])
}

/** What stands before each line `@ NAME EXIT`. */
function parts(text: string): { readonly text: string; readonly name: string; readonly exit?: string }[] {
  return [...text.matchAll(/([\s\S]*?)^@ (\S+)(?: (\d+))?\n/gm)].map(([, before, name, exit]) => ({
    text: before!,
    name: name!,
    ...(exit === undefined ? {} : { exit }),
  }))
}
