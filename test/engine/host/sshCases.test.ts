import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseSshAddress } from '../../../src/engine/host/destination.ts'
import { readRoute, type SshSettings } from '../../../src/engine/host/sshConfig.ts'
import { CASES, INCLUDED, MORE } from './sshConfigs.ts'
import { here, withoutClient } from './withoutClient.ts'

/** Settings as administrators have them, as `ssh -G` answers and as the files are read where there is no client. */

const fields = readFileSync('/etc/passwd', 'utf8')
  .split('\n')
  .map((line) => line.split(':'))
  .find((line) => line[2] === String(process.getuid?.()))!
const me = fields[0]!
const home = fields[5]!

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-cases-'))
  for (const [name, text] of Object.entries({ cases: CASES, more: MORE, 'inc1.conf': INCLUDED })) {
    writeFileSync(join(directory, name), text.replaceAll('DIRECTORY', directory).replaceAll('LOCALUSER', me))
  }
  // Named by no pattern, and no file.
  writeFileSync(join(directory, '.inc0.conf'), 'Host work1\n  HostName 192.0.2.99\n')
  mkdirSync(join(directory, 'other'))
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const plain = (hostName: string, more: Partial<SshSettings> = {}) => ({
  hostName,
  port: 22,
  user: 'everyone',
  jumps: [],
  identitiesOnly: false,
  ...more,
})

const EXPECTED: readonly (readonly [string, Partial<SshSettings>])[] = [
  [
    'xen1',
    plain('192.0.2.11', {
      user: 'root',
      agentSocket: `${home}/Library/Group Containers/agent.sock`,
      identityFiles: [`${home}/.ssh/xen1.pub`],
      identitiesOnly: true,
    }),
  ],
  ['a.lab.example', plain('a.lab.example')],
  ['jump1.lab.example', plain('jump1.lab.example')],
  ['xen2.lab.example', plain('xen2.lab.example', { jumps: ['op@[2001:db8::5]:2222', 'second.lab.example'] })],
  ['xen3', plain('xen3', { proxyCommand: 'cloudflared access ssh --hostname xen3' })],
  [
    'xen4',
    plain('xen4.lab.example', {
      hostKeyAlias: 'xen-four',
      identityFiles: [`${home}/.ssh/keys of everyone/id`],
      knownHostsFiles: [
        `${home}/.ssh/known hosts`,
        `${home}/.ssh/kh_xen4.lab.example`,
        '/etc/ssh/ssh_known_hosts',
        '/etc/ssh/ssh_known_hosts2',
      ],
      jumps: ['op@bastion:2222'],
    }),
  ],
  ['bastion', plain('192.0.2.1', { user: 'hop', port: 22022 })],
  ['op@bastion:2222', plain('192.0.2.1', { user: 'op', port: 2222 })],
  ['xen5', plain('xen5', { proxyCommand: 'ssh -W xen5:22 bastion' })],
  // `none` came first: it decides, as with the client.
  ['x8', plain('x8')],
  // The Include stands under `Host x8`: it is read for that alone.
  ['work1', plain('work1')],
  ['boss@work2', plain('work2', { user: 'boss' })],
]

const MORE_EXPECTED: readonly (readonly [string, Partial<SshSettings>])[] = [
  ['work1', { hostName: '192.0.2.77', user: 'wk' }],
  ['boss@work2', { hostName: '192.0.2.78', user: 'boss' }],
  ['work2', { hostName: 'work2' }],
  ['by-exec', { hostName: '192.0.2.20', user: me === 'root' ? 'root' : 'from-host' }],
  ['kim@by-exec', { hostName: '192.0.2.20', user: 'kim' }],
  ['stranger', { hostName: 'stranger', user: me }],
  ['zone', { hostName: 'fe80::1%h0' }],
  ['first', { proxyCommand: 'nc first', jumps: [] }],
  ['third', { jumps: ['gate'] }],
  ['second', { proxyCommand: 'nc second', jumps: [] }],
  [
    'tokens',
    {
      user: 'u=1',
      port: 2200,
      identityFiles: [
        `${home}/.ssh/tokens-u=1-2200-${hostname().replace(/\..*/, '')}-${me}-${process.getuid?.()}-tokens%h`,
      ],
      certificateFiles: [expect.stringMatching(new RegExp(`^${home}/a b/[0-9a-f]{40}$`))] as never,
      agentSocket: `${process.env.HOME}/agents/u=1`,
      knownHostsFiles: [
        `${home}/a%b`,
        '/srv/one two',
        '/srv/its',
        '/srv/c d',
        '/srv/e /f',
        '/etc/known of %h',
        'none-here',
      ],
      family: 6,
      localAddress: '::1',
      connectTimeoutMs: 4000,
    },
  ],
  ['nothing', { knownHostsFiles: [], identityFiles: [] }],
  ['relayed', { jumps: ['CORP\\me@gate'] }],
  ['tokenjump', { hostName: 'tokenjump.example', jumps: ['op@gw-tokenjump:2200'] }],
  ['not-this', { user: me }],
  ['hot-this', { user: 'glob' }],
]

describe.each([
  ['asked of ssh -G', here],
  ['read from the files', withoutClient],
])('settings, %s', (_, local) => {
  const route = (file: string, address: string) =>
    readRoute(parseSshAddress(address), { local, configPath: join(directory, file) })

  test.each(EXPECTED)('of %s', async (address, expected) => {
    const found = await route('cases', address)
    expect(found.at(-1)).toMatchObject(expected)
    expect(found.at(-1)!.proxyCommand).toBe(expected.proxyCommand)
    expect(found.map((hop) => hop.address)).toEqual([...(expected.jumps ?? []), address])
  })

  test('of a zone whose % is not doubled are refused, with what would help', async () => {
    for (const alias of ['xen6', 'xen7']) {
      await expect(route('cases', alias)).rejects.toMatchObject({
        code: 'invalid',
        message: expect.stringMatching(/a % that is meant as such.*is written %%/),
      })
    }
    const doubled = CASES.replace('fe80::1%eth0', 'fe80::1%%eth0').replaceAll('DIRECTORY', directory)
    writeFileSync(join(directory, 'doubled'), doubled)
    expect((await route('doubled', 'xen7')).at(-1)).toMatchObject({
      hostName: 'fe80::1%eth0',
      port: 2022,
      user: 'CORP\\admin',
    })
  })

  test.each(MORE_EXPECTED)('and more, of %s', async (address, expected) => {
    const found = (await route('more', address)).at(-1)!
    expect(found).toMatchObject(expected)
    expect(found.proxyCommand).toBe(expected.proxyCommand)
  })

  test.each([
    ['unset', 'PENGX_NO_SUCH'],
    ['foreign', 'nobody-of-this-name'],
    ['unknown-token', '%z is no token'],
  ])('that cannot be put in place are refused: %s', async (alias, said) => {
    await expect(route('more', alias)).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining(said),
    })
  })

  test('with a quote that does not end are refused', async () => {
    writeFileSync(join(directory, 'open'), 'Host a\n  HostName "b\n')
    await expect(route('open', 'a')).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(/quote/) })
  })
})

describe('without a client', () => {
  const read = (address: string) =>
    readRoute(parseSshAddress(address), { local: withoutClient, configPath: join(directory, 'own') })

  test.each(['Match final host a\n', 'Match tagged x\n', 'CanonicalizeHostname yes\n'])(
    'what only that understands is said: %s',
    async (line) => {
      writeFileSync(
        join(directory, 'own'),
        `Host b\n  Port 24\nMatch originalhost b tagged x\n  Port 25\nHost a\n${line}`,
      )
      await expect(read('a')).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringMatching(/own:\d.*client alone: install that/),
      })
    },
  )

  test('and not where it does not matter', async () => {
    writeFileSync(join(directory, 'own'), 'Match originalhost b tagged x\n  Port 25\nMatch canonical\n  Port 26\n')
    expect((await read('a')).at(-1)).toMatchObject({ port: 22 })
  })

  test('all is as with one', async () => {
    for (const [file, rows] of [['cases', EXPECTED] as const, ['more', MORE_EXPECTED] as const]) {
      for (const [address] of rows) {
        const configPath = join(directory, file)
        const [asked, own] = await Promise.all(
          [here, withoutClient].map((local) => readRoute(parseSshAddress(address), { local, configPath })),
        )
        // Which keys are tried where none is named is the client's to say.
        const comparable = (hop: SshSettings) => ({
          ...hop,
          identityFiles: hop.identityFiles.filter((path) => !/\/\.ssh\/id_\w+$/.test(path)),
        })
        expect({ address, route: own!.map(comparable) }).toEqual({ address, route: asked!.map(comparable) })
      }
    }
  })
})
