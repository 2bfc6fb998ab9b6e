import { expect, test } from 'bun:test'
import { createPlaceholders } from '../../src/ui/placeholders.ts'

function open() {
  let written = ''
  const write = (output: string) => {
    written += output
  }
  const terminal = { columns: 9, isTTY: true, write }
  const placeholders = createPlaceholders(terminal as unknown as NodeJS.WriteStream)
  const said = () => {
    const all = written
    written = ''
    return all
  }
  return { ...placeholders, said }
}

/** What Ink writes where a line takes the place of another. */
const replaced = (placeholder: string) => `\x1b[1G\x1b[K${placeholder}\n`

test('a line comes whole, and what follows it by its difference', () => {
  const { stdout, of, said } = open()
  stdout.write(of(0, 'run  1'))
  expect(said()).toBe('run  1')
  stdout.write(replaced(of(0, 'run  2')))
  expect(said()).toBe('\x1b[6G2\n')
  stdout.write(replaced(of(0, 'longer than that')))
  expect(said()).toBe('\x1b[1G\x1b[Klonger than that\n')
})

test('one that changes and changes back between two frames is as it was', () => {
  const { stdout, of, said } = open()
  stdout.write(of(0, 'a1'))
  said()
  of(0, 'a2')
  stdout.write(replaced(of(0, 'a1')))
  expect(said()).toBe('\n')
})

test('rows keep theirs, however many lines others have had', () => {
  const { stdout, of, said } = open()
  const still = of(1, 'still')
  for (let count = 0; count < 20_000; count++) of(0, `line ${count}`)
  expect(of(1, 'still')).toBe(still)
  stdout.write(`${of(0, 'line 19999')}\n${still}`)
  expect(said()).toBe('line 19999\nstill')
})

test('what is forgotten is written whole', () => {
  const { stdout, of, said, forget } = open()
  stdout.write(of(0, 'a1'))
  said()
  forget()
  stdout.write(replaced(of(0, 'a2')))
  expect(said()).toBe('\x1b[1G\x1b[Ka2\n')
})

test('a name may hold such characters; to Ink the terminal is one cell wide', () => {
  const { stdout, of, said } = open()
  of(1, 'other')
  stdout.write(of(0, 'vm-\ue001'))
  expect(said()).toBe('vm-\ue001')
  expect(stdout.columns).toBe(1)
})

test('it is a terminal where that behind it is one', () => {
  const { stdout } = open()
  expect(['isTTY' in stdout, stdout.isTTY, 'fd' in stdout]).toEqual([true, true, false])
})
