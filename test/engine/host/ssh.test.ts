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
import { knownLine, startSshd, type TestSshd, writePipe, writeSshConfig } from '../../support/programs/sshd.ts'

let directory: string
let sshd: TestSshd
let machine: SshMachine
let proxied: SshMachine

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-ssh-'))
  sshd = await startSshd(join(directory, 'sshd'))
  const pipe = writePipe(join(directory, 'with blanks'))
  const configPath = writeSshConfig(join(directory, 'config'), [
    { alias: 'pm1', port: sshd.port, identity: sshd.identity },
    { alias: 'pm2', port: sshd.port, identity: sshd.identity, proxy: `${pipe} /dev/null %h %p` },
  ])
  writeFileSync(join(directory, 'known_hosts'), knownLine(sshd))
  const open = (host: string) =>
    openSshMachine({
      address: { host },
      configPath,
      local: openLocalHost('here'),
      hostKeys: createHostKeys({ path: join(directory, 'known_hosts') }),
    })
  machine = open('pm1')
  proxied = open('pm2')
})
afterAll(async () => {
  await machine.close()
  await proxied.close()
  await sshd.kill()
  rmSync(directory, { recursive: true, force: true })
})

hostContract('a host behind a real sshd', async () => openSshHost('pm1', machine))
hostContract('a host behind a ProxyCommand', async () => openSshHost('pm2', proxied))
hostEndingsContract('a host behind a real sshd', async () => openSshHost('pm1', machine))
