import { afterAll, beforeAll } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHostKeys } from '../../../src/engine/host/hostKeys.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { openSshHost } from '../../../src/engine/host/sshHost.ts'
import { openSshMachine, type SshMachine } from '../../../src/engine/host/sshMachine.ts'
import { hostContract } from '../../contract/host.ts'
import { hostEndingsContract } from '../../contract/hostEndings.ts'
import { knownLine, startSshd, type TestSshd, writeSshConfig } from '../../support/programs/sshd.ts'

let directory: string
let sshd: TestSshd
let machine: SshMachine

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-ssh-'))
  sshd = await startSshd(join(directory, 'sshd'))
  const configPath = writeSshConfig(join(directory, 'config'), [
    { alias: 'pm1', port: sshd.port, identity: sshd.identity },
  ])
  writeFileSync(join(directory, 'known_hosts'), knownLine(sshd))
  machine = openSshMachine({
    address: { host: 'pm1' },
    configPath,
    local: openLocalHost('here'),
    hostKeys: createHostKeys({ path: join(directory, 'known_hosts') }),
  })
})
afterAll(async () => {
  await machine.close()
  await sshd.kill()
  rmSync(directory, { recursive: true, force: true })
})

hostContract('a host behind a real sshd', async () => openSshHost('pm1', machine))
hostEndingsContract('a host behind a real sshd', async () => openSshHost('pm1', machine))
