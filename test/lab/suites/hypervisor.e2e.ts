// The hypervisor suite on a real Xen host, reached as pengx reaches it: over SSH, with its own parsers.
import { createHosts } from '../../../src/engine/host/hosts.ts'
import { run } from '../../../src/engine/host/run.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { hypervisorSuite } from '../../contract/hypervisor.ts'
import { CONFIGS, guestUuid } from '../machine/guest.ts'
import { labHost } from '../machine/ssh.ts'

hypervisorSuite('a real Xen host', async () => {
  const lab = labHost()
  const hosts = createHosts({ knownHostsPath: lab.knownHosts, sshConfigPath: lab.sshConfig })
  const host = hosts.get(lab.name, `ssh:${lab.name}`)
  const guest = { configPath: `${CONFIGS}/pv1.cfg`, uuid: guestUuid(1), name: 'pv1' }
  const sh = (script: string) => run(host, { argv: ['sh', '-c', script], effect: 'change', timeoutMs: 120_000 })
  const qemu = (domid: number) => `qemu=$(xenstore-read /local/domain/${domid}/image/device-model-pid)`
  const cutOff = {
    async create() {
      const isMade = `until xl list ${guest.name} >/dev/null 2>&1; do :; done`
      await sh(`xl create ${guest.configPath} >/dev/null 2>&1 & xl=$!; ${isMade}; kill -9 $xl; wait $xl; true`)
    },
    async destroy(domid: number) {
      const isBegun = 'while kill -0 $qemu 2>/dev/null; do :; done'
      await sh(`${qemu(domid)}; xl destroy ${domid} >/dev/null 2>&1 & xl=$!; ${isBegun}; kill -9 $xl; wait $xl; true`)
    },
    async qemu(domid: number) {
      await sh(`${qemu(domid)}; kill -9 $qemu; while kill -0 $qemu 2>/dev/null; do :; done`)
    },
  }
  return { host, hypervisor: xen, guest, cutOff, pollMs: 500 }
})
