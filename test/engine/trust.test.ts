import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { operationSuite } from '../contract/operation.ts'
import { command, startSshd, type TestSshd } from '../support/programs/sshd.ts'

/** Trusting a machine's key, against a real sshd. */

const directory = mkdtempSync(join(tmpdir(), 'pengx-trust-'))
const knownHostsPath = join(directory, 'known_hosts')
const OTHERS = 'other.example ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0000000000000000000000000000000000000000000\n'
let sshd: TestSshd
let fingerprint: string

beforeAll(async () => {
  sshd = await startSshd(join(directory, 'sshd'))
  fingerprint = (await command(['ssh-keygen', '-lf', `${sshd.hostKey}.pub`])).split(' ')[1]!
})
afterAll(async () => {
  await sshd.kill()
  rmSync(directory, { recursive: true, force: true })
})

const known = () => readFileSync(knownHostsPath, 'utf8')

operationSuite({
  operation: 'pm.trust',
  inTurns: true, // one known_hosts
  config: { knownHostsPath },
  async prepare() {
    writeFileSync(knownHostsPath, OTHERS)
    return { destination: `root@127.0.0.1:${sshd.port}`, fingerprint }
  },
  check() {
    expect(known()).toStartWith(OTHERS)
    expect(known()).toContain(`[127.0.0.1]:${sshd.port} ssh-ed25519 `)
  },
})

describe('pm.trust', () => {
  test('refuses another fingerprint and writes nothing', async () => {
    const { openWorld } = await import('../support/sites/world.ts')
    writeFileSync(knownHostsPath, OTHERS)
    const world = await openWorld({ knownHostsPath })
    const raw = { destination: `root@127.0.0.1:${sshd.port}`, fingerprint: `SHA256:${'A'.repeat(43)}` }
    const started = world.engine.start('pm.trust', world.engine.decode('pm.trust', raw), 'cli')
    await expect(started).rejects.toThrow(/shows the key SHA256:.* it was not trusted/)
    expect(known()).toBe(OTHERS)
    await world.close()
  })
})
