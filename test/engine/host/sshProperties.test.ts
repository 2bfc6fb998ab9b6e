import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { parseSshAddress } from '../../../src/engine/host/destination.ts'
import type { Host } from '../../../src/engine/host/host.ts'
import { readRoute } from '../../../src/engine/host/sshConfig.ts'
import type { PengxError } from '../../../src/model/error.ts'
import { here, withoutClient } from './withoutClient.ts'

/** Whatever a configuration says: what `ssh -G` answers and what is read without a client are one. */
let configPath: string
beforeAll(() => {
  configPath = join(mkdtempSync(join(tmpdir(), 'pengx-any-')), 'config')
})
afterAll(() => rmSync(join(configPath, '..'), { recursive: true, force: true }))

/** All but the keys that are tried where none is named: these are the client's to say. */
async function answer(local: Host, address: string) {
  try {
    const { identityFiles: _, ...settings } = (await readRoute(parseSshAddress(address), { local, configPath })).at(-1)!
    return settings
  } catch (error) {
    return (error as PengxError).code
  }
}

async function compare(text: string, address: string): Promise<void> {
  writeFileSync(configPath, `${text}\n`)
  const [asked, own] = await Promise.all([answer(here, address), answer(withoutClient, address)])
  expect({ text, address, is: own }).toEqual({ text, address, is: asked })
}

const RUNS = { numRuns: 200 }

test('words: quotes, backslashes, comments, tokens', async () => {
  const keyword = fc.constantFrom(
    ...['UserKnownHostsFile', 'GlobalKnownHostsFile', 'HostKeyAlias', 'User', 'IdentityAgent'],
    ...['CertificateFile', 'ProxyCommand'],
  )
  const pieces = ['a', 'b', '/', '/x', ' ', ' ', '"', "'", '\\', '#', '=', '~/', '%h', '%%', '\t', 'é']
  const value = fc.array(fc.constantFrom(...pieces), { minLength: 1, maxLength: 12 }).map((each) => each.join(''))
  await fc.assert(
    fc.asyncProperty(keyword, fc.constantFrom(' ', '=', ' = ', '\t'), value, async (name, between, words) => {
      fc.pre(/[^\s=]/.test(words))
      await compare(name + between + words, 'x')
    }),
    RUNS,
  )
})

test('paths with whatever is in them, in a list', async () => {
  const path = fc
    .array(fc.constantFrom('a', ' ', ' /b', '~', "'", '%%', '#', '  '), { minLength: 1, maxLength: 6 })
    .map((each) => `/${each.join('')}z`)
  await fc.assert(
    fc.asyncProperty(fc.array(path, { minLength: 1, maxLength: 4 }), async (paths) => {
      const text = `UserKnownHostsFile ${paths.map((each) => `"${each}"`).join(' ')}\nGlobalKnownHostsFile none`
      await compare(text, 'x')
      expect(await answer(here, 'x')).toMatchObject({
        knownHostsFiles: paths.map((each) => each.replaceAll('%%', '%')),
      })
    }),
    RUNS,
  )
})

test('which lines apply', async () => {
  const pattern = fc.constantFrom('*', 'a*', '?b', 'ab', '!ab', '!b*', 'b', 'c.example')
  const list = fc.array(pattern, { minLength: 1, maxLength: 3 })
  const criterion = fc.oneof(
    fc
      .tuple(fc.constantFrom('host', '!host', 'originalhost', 'user', '!user'), list)
      .map(([name, of]) => `${name} ${of}`),
    fc.constantFrom('exec "test %n = ab"', '!exec "test %h = c.example"', 'exec false', 'canonical'),
  )
  const line = fc.oneof(
    list.map((patterns) => `Host ${patterns.join(' ')}`),
    fc.array(criterion, { minLength: 1, maxLength: 3 }).map((criteria) => `Match ${criteria.join(' ')}`),
    fc.constantFrom(
      'Match all',
      'HostName %h.example',
      'HostName c.example',
      'User b',
      'User ab',
      'Port 24',
      'Port 25',
    ),
    fc.constantFrom('ProxyJump none', 'ProxyCommand none', 'ProxyCommand nc %h', 'HostKeyAlias k', '  ', '# Host *'),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 9 }),
      fc.constantFrom('ab', 'b', 'a@b', 'b@ab', 'zb:26'),
      async (lines, address) => await compare(lines.join('\n'), address),
    ),
    RUNS,
  )
})
