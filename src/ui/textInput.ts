import { cellWidth } from '../lib/text.ts'
import { typedBy } from './keymap.ts'
import { line, type Span, span } from './line.ts'

/** One line of text being typed; `at` counts the characters before the cursor, as a person counts them. */
export interface TextInput {
  readonly text: string
  readonly at: number
}

/** The text with the cursor behind it. */
export function textInput(text = ''): TextInput {
  return { text, at: charactersOf(text).length }
}

/** The input after a key, or undefined for a key that does not edit. */
export function editText(input: TextInput, key: string): TextInput | undefined {
  const characters = charactersOf(input.text)
  const { at } = input
  const before = (end: number) => characters.slice(0, end).join('')
  const after = (start: number) => characters.slice(start).join('')
  switch (key) {
    case 'backspace':
    case 'ctrl-h':
      return at === 0 ? input : put(before(at - 1), after(at))
    case 'delete':
      return put(before(at), after(at + 1))
    case 'left':
      return { ...input, at: Math.max(at - 1, 0) }
    case 'right':
      return { ...input, at: Math.min(at + 1, characters.length) }
    case 'home':
    case 'ctrl-a':
      return { ...input, at: 0 }
    case 'end':
    case 'ctrl-e':
      return { ...input, at: characters.length }
    case 'ctrl-u':
      return put('', after(at))
    case 'ctrl-w':
      return put(before(at).replace(/\S*\s*$/, ''), after(at))
  }
  const typed = typedBy(key)
  return typed === undefined ? undefined : put(before(at) + typed, after(at))
}

/**
 * Two parts of a text with the cursor between them. What has come together may be one character now (an accent that is
 * typed after its letter, two halves of a flag): the cursor is then behind it.
 */
function put(before: string, after: string): TextInput {
  const text = before + after
  let at = 0
  let length = 0
  for (const character of charactersOf(text)) {
    if (length >= before.length) break
    length += character.length
    at++
  }
  return { text, at }
}

/** The text with its cursor as a reversed cell; what takes no cell of its own lends it a blank. */
export function drawInput(input: TextInput, masked = false): readonly Span[] {
  const characters = masked ? charactersOf(input.text).map(() => '*') : charactersOf(input.text)
  const under = characters[input.at] ?? ' '
  return line(
    characters.slice(0, input.at).join(''),
    { ...span(cellWidth(under) === 0 ? ' ' : under), inverse: true },
    characters.slice(input.at + 1).join(''),
  )
}

const PLAIN = /^[\x20-\x7e]*$/
let segmenter: Intl.Segmenter | undefined

/** Grapheme clusters (Unicode Standard Annex #29): a family, a flag, a letter with its accents or a syllable in jamo is one. */
function charactersOf(text: string): string[] {
  if (PLAIN.test(text)) return text.split('')
  segmenter ??= new Intl.Segmenter(undefined, { granularity: 'grapheme' })
  return Array.from(segmenter.segment(text), ({ segment }) => segment)
}
