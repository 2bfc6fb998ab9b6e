import { typedBy } from './keymap.ts'
import { line, type Span, span } from './line.ts'

/** One line of text being typed; `at` counts characters before the cursor. */
export interface TextInput {
  readonly text: string
  readonly at: number
}

export function textInput(text = ''): TextInput {
  return { text, at: [...text].length }
}

/** The input after a key, or undefined for a key that does not edit. */
export function editText(input: TextInput, key: string): TextInput | undefined {
  const characters = [...input.text]
  const { at } = input
  const put = (next: string[], position: number): TextInput => ({ text: next.join(''), at: position })
  switch (key) {
    case 'backspace':
    case 'ctrl-h':
      return at === 0 ? input : put([...characters.slice(0, at - 1), ...characters.slice(at)], at - 1)
    case 'delete':
      return put([...characters.slice(0, at), ...characters.slice(at + 1)], at)
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
      return put(characters.slice(at), 0)
    case 'ctrl-w': {
      const kept = characters
        .slice(0, at)
        .join('')
        .replace(/\S*\s*$/, '')
      return put([...kept, ...characters.slice(at)], [...kept].length)
    }
  }
  const typed = typedBy(key)
  if (typed === undefined) return undefined
  return put([...characters.slice(0, at), typed, ...characters.slice(at)], at + 1)
}

/** The text with its cursor as a reversed cell. */
export function drawInput(input: TextInput, masked = false): readonly Span[] {
  const characters = masked ? [...input.text].map(() => '*') : [...input.text]
  const under = characters[input.at] ?? ' '
  return line(
    characters.slice(0, input.at).join(''),
    { ...span(under), inverse: true },
    characters.slice(input.at + 1).join(''),
  )
}
