import { PengxError } from '../../model/error.ts'
import { parseDestination, type SshAddress } from './destination.ts'
import type { Host } from './host.ts'
import { type AskHostKey, checkKey, createHostKeys } from './hostKeys.ts'
import { fingerprint, keyType } from './knownHosts.ts'
import { type Limits, limitHost } from './limited.ts'
import { openLocalHost } from './local.ts'
import { type CommandRecord, logHost } from './logged.ts'
import { readOnlyHost } from './readOnly.ts'
import { presentedKey } from './route.ts'
import { readRoute } from './sshConfig.ts'
import { openSshHost } from './sshHost.ts'
import { openSshMachine, type SshMachine, type SshMachineOptions } from './sshMachine.ts'

export interface HostsOptions {
  /** Where accepted host keys are written down. */
  readonly knownHostsPath: string
  /** A configuration file in place of ~/.ssh/config. */
  readonly sshConfigPath?: string
  /** Simulated machines. */
  readonly sim?: (name: string) => Host
  readonly askHostKey?: AskHostKey
  /** Asked before each command. */
  readonly readOnly?: (pm: string) => boolean
  /** Told of each command twice, when it starts and when it is over. */
  readonly onCommand?: (record: CommandRecord) => void
  /** Others than the usual ones. */
  readonly limits?: Partial<Limits>
  readonly ssh?: Pick<SshMachineOptions, 'connectTimeoutMs' | 'keepaliveMs' | 'keepaliveMisses' | 'pauses'>
}

export interface ShownKey {
  readonly keyType: string
  readonly fingerprint: string
  /** It is in known_hosts already. */
  readonly known: boolean
}

export interface Hosts {
  /** The host of a PM: opened at its first use, kept until forget() or closeAll(). `invalid` for what is no destination. */
  get(name: string, destination: string): Host
  /** The key that the machine shows now, without logging in; `unreachable`, `refused` for a jump host's unknown key. */
  scanKey(destination: string): Promise<ShownKey>
  /** Writes the machine's key down, where it is the one with this fingerprint; fails with `refused` where it is not. */
  trust(destination: string, fingerprint: string): Promise<ShownKey>
  /** Takes back a `trust`: the key with this fingerprint is unknown again, and no connection that it let in stays. */
  distrust(destination: string, fingerprint: string): Promise<void>
  /** Closes what is kept for a destination, for a PM that is removed; what is under way there fails with `unreachable`. */
  forget(destination: string): Promise<void>
  /** Closes every connection, once commands that are being ended are gone. */
  closeAll(): Promise<void>
}

interface OpenHost {
  readonly destination: string
  readonly host: Host
}

/**
 * Every PM's host by name and destination, each wrapped the same: read-only, limits, log. Nothing is opened before it
 * is used; a machine has one set of connections, whatever it is called.
 */
export function createHosts(options: HostsOptions): Hosts {
  const kept = new Map<string, OpenHost>()
  const machines = new Map<string, SshMachine>()
  const here = openLocalHost('this machine')
  const hostKeys = createHostKeys({
    path: options.knownHostsPath,
    ...(options.askHostKey ? { ask: options.askHostKey } : {}),
  })
  const ssh = {
    ...options.ssh,
    hostKeys,
    local: here,
    ...(options.sshConfigPath === undefined ? {} : { configPath: options.sshConfigPath }),
  }

  function open(name: string, text: string): Host {
    const destination = parseDestination(text)
    if (destination.kind === 'ssh') return openSshHost(name, machineAt(text, destination.address))
    if (destination.kind === 'local') return openLocalHost(name)
    if (!options.sim) throw new PengxError('invalid', `${name} is simulated (${text}), and there is no simulation here`)
    return options.sim(destination.name)
  }

  /** One machine has one connection, also while it goes by two names (before and after it became a PM). */
  function machineAt(destination: string, address: SshAddress): SshMachine {
    const found = machines.get(destination)
    if (found) return found
    const machine = openSshMachine({ ...ssh, address })
    machines.set(destination, machine)
    return machine
  }

  /** A refused command is not told of and takes no place; a told one has its place in time when it begins. */
  function wrap(name: string, host: Host): Host {
    const told = options.onCommand ? logHost(host, options.onCommand) : host
    return readOnlyHost(limitHost(told, options.limits), () => options.readOnly?.(name) ?? false)
  }

  /** The key that a machine shows, and what known_hosts makes of it. */
  async function identify(text: string) {
    const key = await presentedKey(await readRoute(sshAddress(text), ssh), ssh)
    const verdict = checkKey(await hostKeys.read(key.settings), key)
    const found: ShownKey = {
      keyType: keyType(key.blob),
      fingerprint: fingerprint(key.blob),
      known: verdict === undefined,
    }
    return { key, verdict, found }
  }

  async function forget(destination: string): Promise<void> {
    const ours = [...kept].filter(([, each]) => each.destination === destination)
    for (const [key] of ours) kept.delete(key)
    await Promise.all(ours.map(([, each]) => each.host.close()))
    const machine = machines.get(destination)
    machines.delete(destination)
    await machine?.close()
  }

  return {
    get: (name, destination) => {
      const key = `${name}\0${destination}`
      const found = kept.get(key)
      if (found) return found.host
      const host = wrap(name, open(name, destination))
      kept.set(key, { destination, host })
      return host
    },
    scanKey: async (destination) => (await identify(destination)).found,
    trust: async (destination, wanted) => {
      const { key, found, verdict } = await identify(destination)
      if (found.fingerprint !== wanted) {
        const text = `${destination} shows ${found.keyType} ${found.fingerprint}, not ${wanted}: it is not trusted`
        throw new PengxError('refused', text)
      }
      if (verdict instanceof PengxError) throw verdict
      if (verdict === 'unknown') await hostKeys.remember(key)
      for (const machine of machines.values()) machine.retry()
      return found
    },
    distrust: async (destination, wanted) => {
      const settings = (await readRoute(sshAddress(destination), ssh)).at(-1)!
      await hostKeys.forget(settings, wanted)
      await forget(sshDestination(destination))
    },
    forget,
    closeAll: async () => {
      const all = [...kept.values()]
      kept.clear()
      await Promise.all(all.map((each) => each.host.close()))
      await Promise.all([...machines.values()].map((machine) => machine.close()))
      machines.clear()
      // The processes that connections went through are ended with these.
      await here.close()
    },
  }
}

/** `ssh:[user@]host[:port]`, or as a person types it, without `ssh:`. */
function sshDestination(text: string): string {
  return text.startsWith('ssh:') ? text : `ssh:${text}`
}

function sshAddress(text: string): SshAddress {
  const destination = parseDestination(sshDestination(text))
  if (destination.kind !== 'ssh') throw new PengxError('invalid', `${text} is not reached by SSH`)
  return destination.address
}
