import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { copyText } from '../../src/screens/shell/clipboard.ts'
import { waysToCopy } from '../../src/start.ts'

/** Where `y` puts a text, on each kind of terminal. */
const home = mkdtempSync(join(tmpdir(), 'pengx-copy-'))
const socket = join(home, 'tmux')
const tmux = (...words: string[]) =>
  Bun.spawnSync(['tmux', '-S', socket, ...words], { env: { ...process.env, TMUX: '' } })
const ways = waysToCopy(join(home, 'copied.txt'))

afterAll(() => {
  tmux('kill-server')
  rmSync(home, { recursive: true, force: true })
})

async function copy(environment: Readonly<Record<string, string>>) {
  const written: string[] = []
  const said = await copyText('한국 uuid', (text) => void written.push(text), environment, ways)
  return { said, written: written.join('') }
}

describe('copying', () => {
  test('asks the terminal itself', async () => {
    const { said, written } = await copy({ TERM: 'xterm-256color' })
    expect(said).toBe('to the clipboard (OSC 52)')
    expect(written).toBe(`\x1b]52;c;${Buffer.from('한국 uuid').toString('base64')}\x07`)
  })

  test('gives it to a real tmux, which takes it from no program by its standard', async () => {
    expect(tmux('-f', '/dev/null', 'new-session', '-d', 'sleep', '60').exitCode).toBe(0)
    const before = process.env.TMUX
    process.env.TMUX = `${socket},1,0`
    try {
      expect(await copy({ TMUX: process.env.TMUX })).toEqual({ said: 'to the clipboard (through tmux)', written: '' })
    } finally {
      if (before === undefined) delete process.env.TMUX
      else process.env.TMUX = before
    }
    expect(tmux('show-buffer').stdout.toString()).toBe('한국 uuid')
  })

  test('where tmux does not answer the terminal is asked through it', async () => {
    const before = process.env.TMUX
    process.env.TMUX = join(home, 'gone,1,0')
    try {
      const { said, written } = await copy({ TMUX: 'gone' })
      expect(said).toContain('needs set-clipboard on')
      expect(written).toContain('\x1bPtmux;')
    } finally {
      if (before === undefined) delete process.env.TMUX
      else process.env.TMUX = before
    }
  })

  test('a console without a clipboard gets a file', async () => {
    const { said, written } = await copy({ TERM: 'linux' })
    expect(said).toBe(`to ${join(home, 'copied.txt')}: this terminal has no clipboard`)
    expect(written).toBe('')
    expect(readFileSync(join(home, 'copied.txt'), 'utf8')).toBe('한국 uuid')
  })
})
