import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  hostnameOf,
  isHostname,
  isUserName,
  parseSeedAddress,
  type Seed,
  seedIso,
} from '../../../src/engine/tools/cloudInit.ts'
import { isPublicKey } from '../../../src/engine/tools/sshKeys.ts'

const KEY = `ssh-ed25519 ${'A'.repeat(68)} me@desk "quoted" #1`

const directory = mkdtempSync(join(tmpdir(), 'pengx-seed-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** The files as somebody else's program reads them from the image. */
async function texts(seed: Seed): Promise<Record<string, string>> {
  const path = join(directory, 'seed.iso')
  await Bun.write(path, seedIso(seed, 0))
  const isoinfo = (...argv: string[]) => Bun.spawnSync(['isoinfo', '-J', '-i', path, ...argv]).stdout.toString()
  const paths = isoinfo('-f').trim().split('\n')
  return Object.fromEntries(paths.map((name) => [name.slice(1), isoinfo('-x', name)]))
}

/** And as somebody else's reader understands their YAML. */
async function read(seed: Seed): Promise<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(await texts(seed)).map(([name, text]) => [name, Bun.YAML.parse(text)]))
}

test('says who the guest is, who may log in, and where it is', async () => {
  const address = parseSeedAddress('192.0.2.10/24, 192.0.2.1, 192.0.2.53,2001:db8::53')!
  const seed = { instanceId: 'u1', hostname: 'web01', user: 'admin', key: KEY, address, mac: '00:16:3e:00:00:01' }
  const files = await read(seed)
  expect(files['meta-data']).toEqual({ 'instance-id': 'u1', 'local-hostname': 'web01' })
  expect(files['user-data']).toMatchObject({
    hostname: 'web01',
    users: ['default', { name: 'admin', ssh_authorized_keys: [KEY], lock_passwd: true }],
  })
  expect(files['network-config']).toEqual({
    version: 1,
    config: [
      {
        type: 'physical',
        name: 'eth0',
        mac_address: '00:16:3e:00:00:01',
        subnets: [
          {
            type: 'static',
            address: '192.0.2.10/24',
            gateway: '192.0.2.1',
            dns_nameservers: ['192.0.2.53', '2001:db8::53'],
          },
        ],
      },
    ],
  })
  expect((await texts(seed))['user-data']).toStartWith('#cloud-config\n')
})

test('what is not said is not written', async () => {
  expect(Object.keys(await read({ instanceId: 'u1', hostname: 'h' })).sort()).toEqual(['meta-data', 'user-data'])
  expect((await read({ instanceId: 'u1', hostname: 'h', key: KEY }))['user-data']).toEqual({
    hostname: 'h',
    ssh_authorized_keys: [KEY],
  })
})

describe('what is none is told from what is one', () => {
  test.each([
    '192.0.2.10',
    '192.0.2.10/33',
    '192.0.2.300/24',
    '192.0.2.1/24,gw',
    '2001:db8::1/129',
    '/24',
    '1.2.3.4/2/3',
  ])('address %s', (text) => expect(parseSeedAddress(text)).toBeUndefined())
  test.each(['', KEY.replace(' ', ''), '-----BEGIN OPENSSH PRIVATE KEY-----', `${KEY}\nssh-rsa x`, 'ssh-rsa short'])(
    'key %j',
    (text) => expect(isPublicKey(text)).toBe(false),
  )
  test('and what is one', () => {
    expect(parseSeedAddress('2001:db8::1/64')).toEqual({ address: '2001:db8::1/64', dns: [] })
    expect(parseSeedAddress('10.0.0.1/8,,10.0.0.2')).toEqual({ address: '10.0.0.1/8', dns: ['10.0.0.2'] })
    expect(isPublicKey(KEY)).toBe(true)
    expect(isPublicKey(`ecdsa-sha2-nistp256 ${'B'.repeat(140)}=`)).toBe(true)
    expect([isUserName('root'), isUserName('Root'), isUserName('a b')]).toEqual([true, false, false])
    expect([isHostname('a.example'), isHostname('a_b'), isHostname('-a')]).toEqual([true, false, false])
    expect([hostnameOf('Web 01!', 'u'), hostnameOf('한글', '12345678-9')]).toEqual(['web-01', 'vm-12345678'])
  })
})
