/**
 * What a terminal sends, as names of keys: `j`, `X`, `enter`, `ctrl-d`, `pagedown`. A burst typed ahead arrives as
 * one piece of input and gives one name a character. Replies that a terminal sends by itself (cursor reports,
 * colour answers) and sequences that nobody knows give nothing, so they never end up in an input field.
 */
interface RawKey {
  readonly upArrow: boolean
  readonly downArrow: boolean
  readonly leftArrow: boolean
  readonly rightArrow: boolean
  readonly pageDown: boolean
  readonly pageUp: boolean
  readonly home: boolean
  readonly end: boolean
  readonly return: boolean
  readonly escape: boolean
  readonly ctrl: boolean
  readonly shift: boolean
  readonly tab: boolean
  readonly backspace: boolean
  readonly delete: boolean
  readonly meta: boolean
}

const TERMINAL_REPLY = /^(?:\[[0-9;?<>=]+[A-Za-z~]|O[A-Z])$/
/** Ink takes the beginning of such a reply (OSC, DCS, SOS, PM, APC; ECMA-48 5.6) for alt and a letter. */
const REPLY_BEGINS = new Set([']', 'P', 'X', '^', '_'])
/** What belongs to a reply comes with its beginning; a person is not that quick. */
const REPLY_MS = 30

export type KeyReader = (input: string, key: RawKey) => string[]

/** Names keys, and leaves out replies that come in pieces. */
export function createKeyReader(now: () => number = () => performance.now()): KeyReader {
  let begun = Number.NEGATIVE_INFINITY
  return (input, key) => {
    if (key.meta && REPLY_BEGINS.has(input)) begun = now()
    const rest = !key.meta && input.length > 1 && now() - begun < REPLY_MS
    return rest ? [] : keyNames(input, key)
  }
}

function keyNames(input: string, key: RawKey): string[] {
  if (key.upArrow) return ['up']
  if (key.downArrow) return ['down']
  if (key.leftArrow) return ['left']
  if (key.rightArrow) return ['right']
  if (key.pageDown) return ['pagedown']
  if (key.pageUp) return ['pageup']
  if (key.home) return ['home']
  if (key.end) return ['end']
  if (key.return) return ['enter']
  if (key.tab) return [key.shift ? 'shift-tab' : 'tab']
  if (key.backspace) return ['backspace']
  if (key.delete) return ['delete']
  if (key.escape) return ['esc']
  if (key.ctrl) return /^[a-z]$/.test(input) ? [`ctrl-${input}`] : []
  if (key.meta || input === '' || TERMINAL_REPLY.test(input)) return []
  return textKeys(input)
}

/** The keys that type a text, for pasting and for bursts. */
export function textKeys(text: string): string[] {
  const names: string[] = []
  for (const character of text.replaceAll('\r\n', '\n')) {
    const code = character.codePointAt(0)!
    if (character === ' ') names.push('space')
    else if (character === '\r' || character === '\n') names.push('enter')
    else if (character === '\t') names.push('tab')
    else if (code === 0x7f || code === 0x08) names.push('backspace')
    else if (code === 0x1b) names.push('esc')
    else if (code < 0x20) names.push(`ctrl-${String.fromCharCode(code + 0x60)}`)
    else names.push(character)
  }
  return names
}

/** The character that a key types, or undefined for a key that types none. */
export function typedBy(key: string): string | undefined {
  if (key === 'space') return ' '
  return [...key].length === 1 ? key : undefined
}

const LABELS: Record<string, string> = {
  enter: '↵',
  up: '↑',
  down: '↓',
  left: '←',
  right: '→',
  pagedown: 'PgDn',
  pageup: 'PgUp',
  home: 'Home',
  end: 'End',
}

const ASCII_KEYS: Record<string, string> = { '↵': 'Enter', '↑': 'Up', '↓': 'Down', '←': 'Left', '→': 'Right' }

/** A key as a person reads it. */
export function keyLabel(key: string, ascii = false): string {
  return withKeyNames(LABELS[key] ?? key, ascii)
}

/** A text that names keys by their pictures; where there are none, by their names. */
export function withKeyNames(text: string, ascii: boolean): string {
  return ascii ? text.replace(/[↵↑↓←→]/g, (picture) => ASCII_KEYS[picture]!) : text
}
