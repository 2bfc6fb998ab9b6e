import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parseStatements } from '../../src/engine/tools/xl/syntax.ts'
import { textOfBytes } from '../../src/lib/bytes.ts'

/**
 * Configurations as people write them, each a file in `xl` that says in its first line what it stands for. `key-` is one
 * or more keys of xl.cfg(5), `disk-` and `vif-` a form of a device, `xm-` what older tools had, `case-` what people
 * reported, `text-` a freedom of the text. The real xl of Xen 4.17 was asked about each (`test/lab/suites/long/corpus.shared.e2e.ts`
 * asks again): what it read lies in `test/transcripts/corpus`.
 */
export interface CorpusFile {
  readonly name: string
  readonly bytes: Uint8Array
  readonly text: string
}

const FILES = join(import.meta.dir, 'xl')

export function readCorpus(): readonly CorpusFile[] {
  const names = readdirSync(FILES).map((file) => basename(file, '.cfg'))
  return names.sort().map((name) => {
    const bytes = readFileSync(join(FILES, `${name}.cfg`))
    return { name, bytes, text: textOfBytes(bytes) }
  })
}

/** Keys that a configuration gives which xl takes. */
export function keysOf({ name, text }: CorpusFile): readonly string[] {
  return name in REFUSED || NO_GRAMMAR.has(name) ? [] : parseStatements(text, name).map(({ key }) => key)
}

/** The strings in a list of devices, over all statements that give it; of one that does not parse: none. */
export function itemsOf({ name, text }: CorpusFile, key: string): readonly string[] {
  if (NO_GRAMMAR.has(name)) return []
  return parseStatements(text, name)
    .filter((statement) => statement.key === key)
    .flatMap(({ value }) => (typeof value === 'string' ? [] : value))
    .filter((item) => typeof item === 'string')
}

/** What xl refuses, and why. */
export const REFUSED: Readonly<Record<string, string>> = {
  'disk-access-unknown': 'unknown value for access',
  'disk-no-vdev': 'no vdev specified',
  'disk-prefix-unknown': 'unknown deprecated disk prefix',
  'disk-trusted': 'the lexer that is in the release has not been made anew since these words came',
  'disk-twice-vdev': 'vdev respecified',
  'disk-word-unknown': 'unknown parameter',
  'disk-xm-write-force': 'unknown value for access',
  'text-bom': 'lexical error',
  'text-capital-key': 'lexical error',
  'text-cr-lines': 'lexical error',
  'text-double-comma': 'syntax error',
  'text-escapes-hex': 'invalid digit after a backslash',
  'text-escapes-unknown': 'invalid character after a backslash',
  'text-maxvcpus-less': 'maxvcpus < vcpus',
  'text-missing-comma': 'syntax error',
  'text-negative-number': 'lexical error',
  'text-no-final-newline-comment': 'lexical error: a comment ends with a newline',
  'text-no-kernel': 'neither kernel nor bootloader',
  'text-no-name': 'no name',
  'text-python': 'syntax error',
  'text-string-over-lines': 'lexical error',
  'text-value-next-line': 'syntax error',
  'xm-builder-linux': 'invalid domain type',
}

/** Of which there are no statements: libxlu's grammar does not have it, or pengx takes it for a mistake. */
const NO_GRAMMAR: ReadonlySet<string> = new Set([
  'text-bom',
  'text-capital-key',
  'text-cr-lines',
  'text-double-comma',
  'text-escapes-hex',
  'text-escapes-octal',
  'text-escapes-unknown',
  'text-missing-comma',
  'text-negative-number',
  'text-python',
  'text-string-over-lines',
  'text-value-next-line',
])

/** Of those that xl refuses: what pengx reads, since somebody's next xl may, or since a start says it better. */
export const READ_NEVERTHELESS: ReadonlySet<string> = new Set([
  'disk-trusted',
  'text-maxvcpus-less',
  'text-no-final-newline-comment',
  'text-no-kernel',
  'xm-builder-linux',
])

/** What xl takes and pengx does not, and why. */
export const UNREAD: Readonly<Record<string, string>> = {
  'text-escapes-octal': 'libxlu takes the digits for decimal ones, so that nobody knows what was meant',
  'xm-type-abbreviated': 'xl compares as many letters as are given; nobody writes that',
}

/** The part of a VM that pengx says in another way than what is in libxl's JSON, and why. */
export const SAID_OTHERWISE: Readonly<Record<string, readonly [part: string, why: string]>> = {
  'disk-colo': ['disks', 'words of COLO are kept, and xl is built without them: they are not in its JSON'],
  'key-empty-strings': ['boot', 'nothing is given by giving nothing'],
  'key-firmware-override': ['boot', 'a key that is kept as it is'],
  'key-vnc-pv': ['vnc', 'libxl makes a frame buffer of it, whose keymap has no place in a VM: that is kept as it is'],
  'key-pvgrub': ['boot', 'xl makes a path of it'],
}

/** What cannot be changed in a text safely, so that it is refused: kinds of changes, and why. */
export const UNEDITABLE: Readonly<Record<string, readonly [kinds: string, why: string]>> = {
  'text-added-number': ['memory', 'a number by +='],
  'text-added-string': ['rename', 'the name is in two pieces'],
  'text-disk-string': ['attach', 'disk is no list'],
  'text-memory-list': ['memory', 'memory is a list'],
  'text-memory-word': ['memory', 'memory is no number: xl passes over it'],
  'text-twice': ['memory rename vcpus', 'given twice'],
  'text-twice-list': ['attach overlay', 'given twice'],
}
