import { afterAll, beforeAll } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHostKeys } from '../../../src/engine/host/hostKeys.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { openSshHost } from '../../../src/engine/host/sshHost.ts'
import { hostContract } from '../../contract/host.ts'
import { knownLine, startSshd, type TestSshd, writeSshConfig } from '../../support/sshd.ts'

let directory: string
let sshd: TestSshd

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-ssh-'))
  sshd = await startSshd(join(directory, 'sshd'))
})
afterAll(async () => {
  await sshd.kill()
  rmSync(directory, { recursive: true, force: true })
})

hostContract('a host behind a real sshd', async () => {
  const configPath = writeSshConfig(join(directory, 'config'), [
    { alias: 'pm1', port: sshd.port, identity: sshd.identity },
  ])
  writeFileSync(join(directory, 'known_hosts'), knownLine(sshd))
  return openSshHost({
    name: 'pm1',
    address: { host: 'pm1' },
    configPath,
    local: openLocalHost('here'),
    hostKeys: createHostKeys({ path: join(directory, 'known_hosts') }),
  })
})
