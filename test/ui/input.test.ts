import { describe, expect, test } from 'bun:test'
import { scoreMatch } from '../../src/ui/fuzzy.ts'
import { createKeyReader, type KeyReader } from '../../src/ui/keymap.ts'
import { drawInput, editText, type TextInput, textInput } from '../../src/ui/textInput.ts'

const none: Parameters<KeyReader>[1] = {
  upArrow: false,
  downArrow: false,
  leftArrow: false,
  rightArrow: false,
  pageDown: false,
  pageUp: false,
  home: false,
  end: false,
  return: false,
  escape: false,
  ctrl: false,
  shift: false,
  tab: false,
  backspace: false,
  delete: false,
  meta: false,
}

describe('keys', () => {
  const keyNames = createKeyReader()
  test('a burst is one key a character', () => {
    expect(keyNames('jj X\r', none)).toEqual(['j', 'j', 'space', 'X', 'enter'])
    expect(keyNames('한', none)).toEqual(['한'])
  })
  test('what a terminal answers by itself is nobody’s key', () => {
    for (const reply of ['[24;80R', '[?62;22c', 'OP', '[15~']) expect(keyNames(reply, none)).toEqual([])
    expect(keyNames('[', none)).toEqual(['['])
    expect(keyNames('[[', none)).toEqual(['[', '['])
  })
  test('nor is a reply that comes in pieces, but a quick hand is a hand', () => {
    let now = 1000
    const read = createKeyReader(() => now)
    expect(read(']', { ...none, meta: true })).toEqual([])
    expect(read('11;rgb:0000/0000/0000\x07', none)).toEqual([])
    now += 100
    expect(read('11', none)).toEqual(['1', '1'])
    expect(read(']', none)).toEqual([']'])
    expect(read('jj', none)).toEqual(['j', 'j'])
  })
  test('names', () => {
    expect(keyNames('', { ...none, upArrow: true })).toEqual(['up'])
    expect(keyNames('d', { ...none, ctrl: true })).toEqual(['ctrl-d'])
    expect(keyNames('', { ...none, tab: true, shift: true })).toEqual(['shift-tab'])
    expect(keyNames('x', { ...none, meta: true })).toEqual([])
  })
})

describe('typing', () => {
  const type = (start: TextInput, ...keys: readonly string[]) =>
    keys.reduce((input, key) => editText(input, key) ?? input, start)
  test('edits by characters, Korean too', () => {
    expect(type(textInput(), '한', '국', 'backspace', 'space', 'x').text).toBe('한 x')
    expect(type(textInput('abc'), 'left', 'left', 'X').text).toBe('aXbc')
    expect(type(textInput('one two'), 'ctrl-w', '3').text).toBe('one 3')
    expect(type(textInput('abc'), 'left', 'ctrl-u').text).toBe('c')
    expect(type(textInput('abc'), 'home', 'delete', 'end', '!').text).toBe('bc!')
  })
  describe.each([
    ['a family', '👩‍👩‍👧‍👦'],
    ['a flag', '🇰🇷'],
    ['a colour of skin', '👍🏽'],
    ['an accent of its own', 'e\u0301'],
    ['a syllable in jamo', '\u1112\u1161\u11ab'],
  ])('%s is one character', (_title, one) => {
    test('to the cursor, wherever it goes', () => {
      expect(textInput(`a${one}b`).at).toBe(3)
      expect(type(textInput(`a${one}b`), 'left', 'left', 'X').text).toBe(`aX${one}b`)
      expect(type(textInput(`a${one}b`), 'home', 'right', 'right', 'X').text).toBe(`a${one}Xb`)
    })
    test('to what deletes', () => {
      expect(type(textInput(`a${one}b`), 'left', 'backspace')).toEqual({ text: 'ab', at: 1 })
      expect(type(textInput(`a${one}b`), 'home', 'right', 'delete')).toEqual({ text: 'ab', at: 1 })
      expect(type(textInput(`a ${one}`), 'ctrl-w')).toEqual({ text: 'a ', at: 2 })
      expect(type(textInput(`${one}b`), 'left', 'ctrl-u')).toEqual({ text: 'b', at: 0 })
    })
    test('when it is typed in its pieces', () => {
      expect(type(textInput('ab'), 'left', ...one)).toEqual({ text: `a${one}b`, at: 2 })
    })
    test('when it is drawn', () => {
      const [before, under, after] = drawInput({ text: `a${one}b`, at: 1 })
      expect([before!.text, under!.text, under!.inverse, after!.text]).toEqual(['a', one, true, 'b'])
      expect(drawInput(textInput(`a${one}`), true)[0]!.text).toBe('**')
    })
  })
  test('what grows together has the cursor behind it', () => {
    expect(type(textInput('🇰x🇷'), 'left', 'backspace')).toEqual({ text: '🇰🇷', at: 1 })
    expect(type(textInput('👩👧'), 'left', '\u200d')).toEqual({ text: '👩‍👧', at: 1 })
  })
  test('the cursor is seen on what takes no cell', () => {
    expect(
      drawInput({ text: '\u200d', at: 0 })
        .map(({ text }) => text)
        .join(''),
    ).toBe(' ')
    expect(drawInput(textInput()).map(({ text, inverse }) => [text, inverse])).toContainEqual([' ', true])
  })
  test('a key that types nothing is not eaten', () => {
    expect(editText(textInput('a'), 'pagedown')).toBeUndefined()
  })
})

describe('finding', () => {
  const best = (typed: string, ...labels: readonly string[]) =>
    labels
      .map((label) => ({ label, score: scoreMatch(typed, label) }))
      .filter((one): one is { label: string; score: number } => one.score !== undefined)
      .sort((a, b) => b.score - a.score)
      .map(({ label }) => label)
  test('a whole word beats a beginning, a beginning beats a part', () => {
    expect(best('web', 'cobweb', 'web01', 'web')).toEqual(['web', 'web01', 'cobweb'])
    expect(best('start web', 'start web01', 'start db01')).toEqual(['start web01'])
  })
  test('letters in order find a name that is half remembered, not half the world', () => {
    expect(best('shtdwn', 'shut down web01', 'start db01')).toEqual(['shut down web01'])
    expect(best('web', 'a-name-that-is-longer-than-b')).toEqual([])
  })
  test('help text counts, but little', () => {
    expect(scoreMatch('plug', 'power off', 'as pulling the plug does')).toBeLessThan(scoreMatch('power', 'power off')!)
    expect(scoreMatch('zebra', 'power off', 'as pulling the plug does')).toBeUndefined()
  })
})
