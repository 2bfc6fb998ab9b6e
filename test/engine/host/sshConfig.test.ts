import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SshAddress } from '../../../src/engine/host/destination.ts'
import { formatSshAddress, parseDestination, parseSshAddress } from '../../../src/engine/host/destination.ts'
import { readRoute, type SshConfigOptions } from '../../../src/engine/host/sshConfig.ts'
import { PengxError } from '../../../src/model/error.ts'
import { here, withoutClient } from './withoutClient.ts'

describe('an address', () => {
  test.each([
    ['pm1', { host: 'pm1' }],
    ['root@pm1', { host: 'pm1', user: 'root' }],
    ['root@10.0.0.1:2222', { host: '10.0.0.1', user: 'root', port: 2222 }],
    ['[::1]:22', { host: '::1', port: 22 }],
    ['root@[fe80::1%eth0]', { host: 'fe80::1%eth0', user: 'root' }],
    ['fe80::1', { host: 'fe80::1' }],
    ['me@corp@pm1', { host: 'pm1', user: 'me@corp' }],
    ['CORP\\admin@pm1', { host: 'pm1', user: 'CORP\\admin' }],
  ])('%s', (text, address) => {
    expect(parseSshAddress(text)).toEqual(address)
    expect(parseSshAddress(formatSshAddress(address))).toEqual(address)
  })

  test.each([
    '',
    '-oProxyCommand=id',
    'root@-x',
    '-l@pm1',
    'pm1:',
    'pm1:0',
    'pm1:70000',
    'pm1:x',
    'a b',
    '[::1]22',
    '@pm1',
    'admin\\@pm1',
    'a;b@pm1',
    'a b@pm1',
  ])('%p is none', (text) => {
    expect(() => parseSshAddress(text)).toThrow(PengxError)
  })

  test('stands in a destination', () => {
    expect(parseDestination('local')).toEqual({ kind: 'local' })
    expect(parseDestination('sim:alpha')).toEqual({ kind: 'sim', name: 'alpha' })
    expect(parseDestination('ssh:root@pm1')).toEqual({ kind: 'ssh', address: { user: 'root', host: 'pm1' } })
    expect(() => parseDestination('pm1')).toThrow('pm1 is no destination')
  })
})

const CONFIG = `
Host alpha
  HostName 10.0.0.1
  Port 2222
  User admin
  IdentityFile ~/.ssh/first
  IdentityFile ~/.ssh/%h.key
  UserKnownHostsFile /etc/known1 ~/known2
  HostKeyAlias Alpha-Key
  ProxyJump jumper@gate:24,inner

Host gate
  ProxyJump outer

Host circle
  ProxyJump circle2
Host circle2
  ProxyJump circle

Host odd
  HostName %h.example
  ProxyCommand nc -X "connect" %h %p # %r@%n 100%%

Host fdpass
  ProxyCommand nc -F %h %p
  ProxyUseFdpass yes

Host *
  IdentityAgent none
`

let directory: string
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-config-'))
  writeFileSync(join(directory, 'config'), CONFIG)
})
afterAll(() => rmSync(directory, { recursive: true, force: true }))

describe.each([
  ['asked of the client', here],
  ['read from the file', withoutClient],
])('settings, %s', (_, local) => {
  const options = (): SshConfigOptions => ({ local, configPath: join(directory, 'config') })
  const settingsOf = async (address: SshAddress) => (await readRoute(address, options())).at(-1)!

  test('of an alias', async () => {
    const settings = await settingsOf({ host: 'alpha' })
    expect(settings).toMatchObject({
      address: 'alpha',
      hostName: '10.0.0.1',
      port: 2222,
      user: 'admin',
      identityFiles: [join(homedir(), '.ssh/first'), join(homedir(), '.ssh/10.0.0.1.key')],
      identitiesOnly: false,
      hostKeyAlias: expect.stringMatching(/^alpha-key$/i),
      jumps: ['jumper@gate:24', 'inner'],
    })
    expect(settings.agentSocket).toBeUndefined()
    expect(settings.knownHostsFiles.slice(0, 2)).toEqual(['/etc/known1', join(homedir(), 'known2')])
  })

  test('what is written in the address wins', async () => {
    const settings = await settingsOf({ host: 'alpha', user: 'root', port: 22 })
    expect(settings).toMatchObject({ address: 'root@alpha:22', hostName: '10.0.0.1', port: 22, user: 'root' })
  })

  test('of a machine that is not mentioned', async () => {
    const settings = await settingsOf({ host: '::1' })
    expect(settings).toMatchObject({ hostName: '::1', port: 22, jumps: [] })
    expect(settings.user).not.toBe('unknown')
    expect(settings.identityFiles).toContain(join(homedir(), '.ssh/id_ed25519'))
    expect(settings.knownHostsFiles).toContain(join(homedir(), '.ssh/known_hosts'))
  })

  test('of the machines on the way, and of those on the way to them', async () => {
    const route = await readRoute({ host: 'alpha' }, options())
    expect(route.map((hop) => hop.address)).toEqual(['outer', 'jumper@gate:24', 'inner', 'alpha'])
  })

  test('a circle is refused', async () => {
    await expect(readRoute({ host: 'circle' }, options())).rejects.toMatchObject({ code: 'invalid' })
  })

  test('a ProxyCommand has its tokens in place; one that hands over a socket is refused', async () => {
    expect(await settingsOf({ host: 'odd', user: 'me', port: 24 })).toMatchObject({
      proxyCommand: 'nc -X "connect" odd.example 24 # me@odd 100%',
    })
    await expect(settingsOf({ host: 'fdpass' })).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('ProxyUseFdpass'),
    })
  })
})
