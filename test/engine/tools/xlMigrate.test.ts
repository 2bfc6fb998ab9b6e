import { describe, expect, test } from 'bun:test'
import { parseCpuFeatures } from '../../../src/engine/tools/cpuFeatures.ts'
import {
  explainMigration,
  migrateDomain,
  migrationAtWork,
  parseHostKey,
  parsePhase,
  qemuAtWork,
  sshTo,
} from '../../../src/engine/tools/xl/migrate.ts'
import { transcript } from '../../support/transcript.ts'

const KEY = `ssh-ed25519 ${'A'.repeat(68)}`

describe('a migration', () => {
  test('says how far it is, as it goes on', () => {
    const lines = transcript('xl-4.17-migrate').stderr.split('\n')
    const heard = lines.map((_line, index) => parsePhase(lines.slice(0, index + 1).join('\n')))
    const seen = heard.filter((phase, index) => phase && phase.done !== heard[index - 1]?.done).map((phase) => phase!)
    expect(seen.map((phase) => phase.done)).toEqual([0, 0.02, 0.9, 0.93, 0.95, 0.97, 1])
    expect(seen.at(-1)?.text).toBe('the guest has gone')
    expect(parsePhase('Saving to migration stream new xl format')).toBeUndefined()
  })

  test('says why it did not come about', () => {
    expect(explainMigration(transcript('xl-4.17-migrate', 1).stderr)).toBe('the source does not reach the target')
    expect(explainMigration(transcript('xl-4.17-migrate', 2).stderr)).toContain('the line between the two broke')
    expect(explainMigration(transcript('xl-4.17-migrate').stderr)).toBeUndefined()
  })

  test('is one command, which leaves the guest paused and never asks for a password', () => {
    const ssh = sshTo(KEY)
    const { argv } = migrateDomain({ domid: 7, configPath: '/etc/xen/pengx/u.cfg', ssh, address: '192.0.2.12' })
    expect(argv.slice(0, 5)).toEqual(['xl', 'migrate', '-p', '-C', '/etc/xen/pengx/u.cfg'])
    expect(argv.slice(-2)).toEqual(['7', '192.0.2.12'])
    expect(argv[6]).toStartWith('ssh -o BatchMode=yes ')
    expect(argv[6]).toEndWith(`-o IgnoreUnknown=KnownHostsCommand -o 'KnownHostsCommand=/bin/echo * ${KEY}'`)
    expect(sshTo(undefined).join(' ')).not.toContain('KnownHosts')
  })

  test('is not found in the command line of whoever looks for it', () => {
    for (const program of [migrationAtWork('/etc/xen/pengx/u.cfg'), qemuAtWork(7)]) {
      expect(new RegExp(program.argv[2]!).test(program.argv.join(' '))).toBe(false)
    }
    const pattern = (program: { readonly argv: readonly string[] }) => new RegExp(program.argv[2]!)
    expect(pattern(migrationAtWork('/etc/u.cfg')).test('xl migrate -p -C /etc/u.cfg -s ssh 7 xen2')).toBe(true)
    expect(pattern(migrationAtWork('/etc/u.cfg')).test('xl migrate-receive -p')).toBe(false)
    expect(pattern(qemuAtWork(7)).test('/usr/bin/qemu-system-x86_64 -xen-domid 7 -no-shutdown')).toBe(true)
    expect(pattern(qemuAtWork(7)).test('/usr/bin/qemu-system-x86_64 -xen-domid 77 -no-shutdown')).toBe(false)
  })
})

test('host keys, with and without a comment', () => {
  expect(parseHostKey(`${KEY} root@xen2\n`)).toBe(KEY)
  expect(parseHostKey(`${KEY}\n`)).toBe(KEY)
  expect(parseHostKey('ecdsa-sha2-nistp256 AAAAE2= x')).toBe('ecdsa-sha2-nistp256 AAAAE2=')
  expect(parseHostKey('cat: /etc/ssh/ssh_host_rsa_key.pub: No such file or directory')).toBeUndefined()
})

test('what a processor lacks, with bit 31 of a word', () => {
  const words = (seventh: string) => `178bf3fd:f6d83203:24500800:00000077:00000005:${seventh}:00000000:00000000`
  const all = parseCpuFeatures(words('808801a9'))
  expect(all.filter((name) => !parseCpuFeatures(words('008801a8')).includes(name))).toEqual(['fsgsbase', 'avx512vl'])
  expect(parseCpuFeatures('')).toEqual([])
  expect(parseCpuFeatures('178bf3fd')).toEqual([])
})
