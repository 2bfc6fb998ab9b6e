// The hypervisor suite on a real Xen host, reached as pengx reaches it: over SSH, with its own parsers.
import { createHosts } from '../../src/engine/host/hosts.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { hypervisorSuite } from '../contract/hypervisor.ts'
import { CONFIGS, guestUuid } from './machine/guest.ts'
import { labHost } from './machine/ssh.ts'

hypervisorSuite('a real Xen host', async () => {
  const lab = labHost()
  const hosts = createHosts({ knownHostsPath: lab.knownHosts, sshConfigPath: lab.sshConfig })
  const host = hosts.get(lab.name, `ssh:${lab.name}`)
  const guest = { configPath: `${CONFIGS}/pv1.cfg`, uuid: guestUuid(1), name: 'pv1' }
  return { host, hypervisor: xen, guest, pollMs: 500 }
})
