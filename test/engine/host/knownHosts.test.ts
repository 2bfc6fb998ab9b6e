import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  fingerprint,
  formatKnownHost,
  judgeKey,
  keyType,
  knownName,
  knownTypes,
  matchesName,
  parseKnownHosts,
} from '../../../src/engine/host/knownHosts.ts'
import { command, makeKey } from '../../support/programs/sshd.ts'

let directory: string
const keys: Record<string, Buffer> = {}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-known-'))
  for (const type of ['ed25519', 'rsa', 'ecdsa']) {
    const path = await makeKey(join(directory, type), { type })
    keys[type] = Buffer.from(readFileSync(`${path}.pub`, 'utf8').split(' ')[1]!, 'base64')
  }
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

function linesFor(...entries: [string, string][]): string {
  return entries.map(([patterns, type]) => formatKnownHost(patterns, keys[type]!)).join('')
}

describe('names', () => {
  test('a port that is not 22 is part of the name, and case is not', () => {
    expect(knownName('Pm1.Example', 22)).toBe('pm1.example')
    expect(knownName('10.0.0.1', 2222)).toBe('[10.0.0.1]:2222')
    expect(knownName('::1', 22)).toBe('::1')
    expect(knownName('fe80::1', 2222)).toBe('[fe80::1]:2222')
  })

  test.each([
    ['pm1', 'pm1', true],
    ['pm1', 'pm11', false],
    ['PM1,10.0.0.1', '10.0.0.1', true],
    ['pm1,10.0.0.1', 'pm1,10.0.0.1', false],
    ['pm?.example', 'pm1.example', true],
    ['*.example', 'a.b.example', true],
    ['*.example', 'axexample', false],
    ['*.example,!bad.example', 'bad.example', false],
    ['!bad.example,*.example', 'bad.example', false],
    ['*.example,!bad.example', 'good.example', true],
    ['!bad.example', 'good.example', false],
    ['[10.0.0.1]:2222', '[10.0.0.1]:2222', true],
    ['[10.0.0.*]:2222', '[10.0.0.7]:2222', true],
    ['10.0.0.1', '[10.0.0.1]:2222', false],
    ['|1|bad', 'pm1', false],
    ['|1|*|*', 'pm1', false],
  ])('%s and %s: %p', (patterns, name, matches) => {
    expect(matchesName(patterns, name)).toBe(matches)
  })
})

describe('a file', () => {
  test('gives the lines that are entries, with their numbers', () => {
    const text = `# comment\n\n${linesFor(['pm1', 'ed25519'])}@revoked ${linesFor(['*', 'rsa'])}nonsense\n@other ${linesFor(['x', 'rsa'])}`
    const entries = parseKnownHosts(text, '/k')
    expect(entries.map(({ file, line, marker, patterns, type }) => ({ file, line, marker, patterns, type }))).toEqual([
      { file: '/k', line: 3, marker: undefined, patterns: 'pm1', type: 'ssh-ed25519' },
      { file: '/k', line: 4, marker: 'revoked', patterns: '*', type: 'ssh-rsa' },
    ])
  })

  test('that ssh-keygen has hashed is understood', async () => {
    const path = join(directory, 'known_hosts')
    writeFileSync(path, linesFor(['pm1,10.0.0.1', 'ed25519'], ['[10.0.0.2]:2222', 'rsa']))
    await command(['ssh-keygen', '-H', '-f', path])
    const text = readFileSync(path, 'utf8')
    expect(text).not.toContain('10.0.0')
    const entries = parseKnownHosts(text, path)
    expect(judgeKey(entries, '10.0.0.1', keys.ed25519!)).toEqual({ verdict: 'ok' })
    expect(judgeKey(entries, 'pm1', keys.ed25519!)).toEqual({ verdict: 'ok' })
    expect(judgeKey(entries, '[10.0.0.2]:2222', keys.rsa!)).toEqual({ verdict: 'ok' })
    expect(judgeKey(entries, '10.0.0.2', keys.rsa!)).toEqual({ verdict: 'unknown' })
    expect(judgeKey(entries, 'pm1', keys.rsa!).verdict).toBe('changed')
  })

  test('that we have written is understood by ssh-keygen', async () => {
    const path = join(directory, 'written')
    writeFileSync(path, linesFor([knownName('10.0.0.3', 2222), 'ecdsa']))
    expect(await command(['ssh-keygen', '-F', '[10.0.0.3]:2222', '-f', path])).toContain('ecdsa-sha2-nistp256')
  })
})

describe('a key', () => {
  test('has the fingerprint and the type that ssh-keygen prints', async () => {
    for (const [type, blob] of Object.entries(keys)) {
      const printed = await command(['ssh-keygen', '-lf', join(directory, `${type}.pub`)])
      expect(printed.split(' ')[1]).toBe(fingerprint(blob))
      expect(readFileSync(join(directory, `${type}.pub`), 'utf8').split(' ')[0]).toBe(keyType(blob))
    }
  })

  test('is ok when any line has it', () => {
    const entries = parseKnownHosts(linesFor(['pm1', 'rsa'], ['pm*', 'ed25519']), '/k')
    expect(judgeKey(entries, 'pm1', keys.ed25519!).verdict).toBe('ok')
    expect(knownTypes(entries, 'pm1')).toEqual(['ssh-rsa', 'ssh-ed25519'])
  })

  test('is changed, and the line is named, when lines have only others, of whatever type', () => {
    const entries = parseKnownHosts(`\n${linesFor(['pm1', 'rsa'])}`, '/k')
    const judged = judgeKey(entries, 'pm1', keys.ed25519!)
    expect(judged).toMatchObject({ verdict: 'changed', entry: { file: '/k', line: 2 } })
    expect(judgeKey(entries, 'pm2', keys.ed25519!).verdict).toBe('unknown')
  })

  test('is revoked even where it is known', () => {
    const entries = parseKnownHosts(`${linesFor(['pm1', 'rsa'])}@revoked ${linesFor(['*', 'rsa'])}`, '/k')
    expect(judgeKey(entries, 'pm1', keys.rsa!)).toMatchObject({ verdict: 'revoked', entry: { line: 2 } })
    expect(knownTypes(entries, 'pm1')).toEqual(['ssh-rsa'])
  })

  test('is not known through an authority, whose certificates are not understood', () => {
    const entries = parseKnownHosts(`@cert-authority ${linesFor(['*', 'rsa'])}`, '/k')
    expect(judgeKey(entries, 'pm1', keys.rsa!).verdict).toBe('unknown')
    expect(knownTypes(entries, 'pm1')).toEqual([])
  })
})
