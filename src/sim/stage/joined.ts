/** What the machines of a site have in common: directories of one file server, and each other's SSH keys. */
import { makeDirs, writeText } from '../machine/files.ts'
import { hashText } from '../machine/noise.ts'
import { makeShare } from '../machine/shares.ts'
import type { PmState, SiteState } from '../machine/state.ts'

/** Here lie disks of guests of every machine. */
export const SHARED = '/shared'
/** Nothing lies there yet: for who makes a storlink of his own. */
const SPARE = '/data1'

/** A few guests, whatever the size of the site: enough to see one go from each machine to another. */
export function isShared(index: number): boolean {
  return index < 40 && index % 5 === 0
}

export function joinMachines(state: SiteState, now: number): void {
  const names = state.pms.map((pm) => pm.name)
  for (const path of [SHARED, SPARE]) makeShare(state, path, names, now)
  const keys = state.pms.map((pm) => publicKey(pm, 'user')).join('')
  for (const pm of state.pms) {
    const { bootedAt: at } = pm
    makeDirs(pm, '/etc/ssh', at)
    makeDirs(pm, '/root/.ssh', at, 0o700)
    writeText(pm, '/etc/ssh/ssh_host_ed25519_key.pub', publicKey(pm, 'host'), at)
    writeText(pm, '/root/.ssh/id_ed25519', '-----BEGIN OPENSSH PRIVATE KEY-----\n', at, 0o600)
    writeText(pm, '/root/.ssh/id_ed25519.pub', publicKey(pm, 'user'), at)
    writeText(pm, '/root/.ssh/authorized_keys', keys, at, 0o600)
  }
}

/** Looks like one, and is another one on each machine. */
function publicKey(pm: PmState, whose: string): string {
  const body = Buffer.from(`${pm.name} ${whose} ${hashText(pm.machineId)}`.padEnd(51, '.').slice(0, 51))
  return `ssh-ed25519 ${body.toString('base64')} root@${pm.name}\n`
}
