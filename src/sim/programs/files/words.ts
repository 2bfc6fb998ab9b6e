/** What programs that change files share: their words, their refusals, and how text gets into a file. */
import { charge, findNode, isFsError, openForWrite, writeText } from '../../machine/files.ts'
import type { Call } from '../../machine/program.ts'
import { IMAGE_MARK } from './read.ts'

/** Text into a file; the words that `cat` makes of an image become that image again. */
export function writeInto(call: Call, path: string, text: string, append = false): void {
  const node = findNode(call.pm, path)
  if (path === '/dev/null' || path === '/dev/stderr') return
  if (text.startsWith(IMAGE_MARK)) {
    const { image, size, allocated } = JSON.parse(text.slice(IMAGE_MARK.length))
    const made = openForWrite(call.pm, path, call.now())
    if (made.kind === 'file') {
      charge(call.pm, path, allocated)
      made.size = size ?? (image.format === 'raw' ? image.virtualSize : allocated)
    }
    made.allocated = allocated
    made.text = undefined
    made.image = image
  } else {
    const old = append && node?.kind === 'file' ? (node.text ?? '') : ''
    try {
      writeText(call.pm, path, old + text, call.now())
    } finally {
      call.world.save()
    }
  }
  call.world.save()
}

/** Does it, or prints `PROGRAM: WORDS: what the kernel said` and gives exit 1. */
export function attempt(call: Call, words: string, act: () => void): number {
  try {
    act()
    return 0
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`${call.argv[0]}: ${words}: ${error.message}\n`)
    return 1
  }
}

export function parse(call: Call, withValue = ''): { letters: string; values: Map<string, string>; words: string[] } {
  let letters = ''
  const values = new Map<string, string>()
  const words: string[] = []
  let ended = false
  for (let at = 1; at < call.argv.length; at++) {
    const word = call.argv[at]!
    if (ended || !word.startsWith('-') || word === '-') words.push(word)
    else if (word === '--') ended = true
    else if (word.startsWith('--')) letters += LONG[word.split('=')[0]!] ?? ''
    else {
      for (let index = 1; index < word.length; index++) {
        const letter = word[index]!
        letters += letter
        if (!withValue.includes(letter)) continue
        values.set(letter, word.slice(index + 1) || (call.argv[++at] ?? ''))
        break
      }
    }
  }
  return { letters, values, words }
}

const LONG: Record<string, string> = {
  '--force': 'f',
  '--parents': 'p',
  '--recursive': 'r',
  '--no-clobber': 'n',
  '--append': 'a',
  '--archive': 'a',
  '--symbolic': 's',
  '--no-target-directory': 'T',
}

/** `64M`, `10g`, `1024`: bytes, in powers of 1024. */
export function bytesOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtKMGT]?)(?:i?[bB])?$/.exec(text)
  if (!match) return undefined
  const powers: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4 }
  return Math.floor(Number(match[1]) * 1024 ** powers[match[2]!.toLowerCase()]!)
}
