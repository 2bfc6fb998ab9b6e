/**
 * How things look: tones by meaning over the terminal's own 16 colours and its own background, and what replaces
 * glyphs where there is no UTF-8. A state is always a glyph and a word; colour comes third and may be absent.
 */

export type Tone = 'plain' | 'ok' | 'busy' | 'warn' | 'bad' | 'dim' | 'accent' | 'strong'
export type GraphStyle = 'braille' | 'block' | 'ascii'

export interface Theme {
  readonly colour: boolean
  readonly ascii: boolean
  readonly graph: GraphStyle
}

/** Foreground codes of SGR (ECMA-48 8.3.117); `dim` and `strong` need no colour, so NO_COLOR keeps them. */
const COLOURED: Record<Tone, readonly [string, string] | undefined> = {
  plain: undefined,
  ok: ['32', '39'],
  busy: ['36', '39'],
  warn: ['33', '39'],
  bad: ['31', '39'],
  dim: ['2', '22'],
  accent: ['1;36', '22;39'],
  strong: ['1', '22'],
}

const COLOURLESS: Record<Tone, readonly [string, string] | undefined> = {
  plain: undefined,
  ok: undefined,
  busy: undefined,
  warn: ['1', '22'],
  bad: ['1', '22'],
  dim: ['2', '22'],
  accent: ['1', '22'],
  strong: ['1', '22'],
}

export function codesOf(tone: Tone, theme: Theme): readonly [string, string] | undefined {
  return theme.colour ? COLOURED[tone] : COLOURLESS[tone]
}

/** One cell for one cell, so a line keeps its width. */
const ASCII: Record<string, string> = {
  '●': '*',
  '○': '-',
  '◉': '@',
  '‖': '=',
  '▶': '>',
  '✗': '!',
  '▲': '^',
  '↩': '<',
  '◆': '#',
  '✓': '+',
  '⊘': 'x',
  '◌': '~',
  '▸': '>',
  '▾': 'v',
  '›': '>',
  '‹': '<',
  '→': '>',
  '←': '<',
  '↑': '^',
  '↓': 'v',
  '·': '.',
  '…': '~',
  '–': '-',
  '█': '#',
  '░': '.',
  '▁': '.',
  '▂': '.',
  '▃': ':',
  '▄': ':',
  '▅': ':',
  '▆': '|',
  '▇': '|',
  '─': '-',
  '│': '|',
  '┤': '+',
  '└': '`',
  '├': '|',
  '╭': '+',
  '╮': '+',
  '╰': '+',
  '╯': '+',
}

/** What has no ASCII picture becomes `?`, one for each cell it took. */
export function toAscii(text: string): string {
  if (/^[\x20-\x7e]*$/.test(text)) return text
  let plain = ''
  for (const character of text) {
    if (character >= ' ' && character <= '~') plain += character
    else plain += ASCII[character] ?? '?'.repeat(Bun.stringWidth(character))
  }
  return plain
}

/** What the environment and the settings ask for: NO_COLOR, a locale without UTF-8, a console without glyphs. */
export function themeOf(
  environment: Readonly<Record<string, string | undefined>>,
  ascii: boolean,
  graph?: GraphStyle,
): Theme {
  const locale = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ''
  const bare = ascii || environment.TERM === 'linux' || !/utf-?8/i.test(locale)
  return {
    colour: !environment.NO_COLOR && environment.TERM !== 'dumb',
    ascii: bare,
    graph: bare ? 'ascii' : (graph ?? 'braille'),
  }
}
