import type { Duplex } from 'node:stream'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Host } from './host.ts'
import { checkKey, type HostKeys, type PresentedKey, unknownKeyRefusal, wantedKeyTypes } from './hostKeys.ts'
import { openProxyCommand, type ProxyConnection } from './proxyCommand.ts'
import type { SshLink } from './ssh.ts'
import type { SshSettings } from './sshConfig.ts'

/** How connections are made; the same for every machine. */
export interface RouteOptions {
  readonly hostKeys: HostKeys
  /** This machine, on which a ProxyCommand runs. */
  readonly local: Host
  readonly connectTimeoutMs?: number
  /** After this long in silence the machine is asked for a sign of life; lost after `keepaliveMisses` of them. */
  readonly keepaliveMs?: number
  readonly keepaliveMisses?: number
}

type Hop =
  | { readonly link: SshLink }
  | { readonly key: PresentedKey; readonly error: PengxError | 'unknown' | undefined }

/**
 * Dials a machine through the hosts before it. A key that nobody knows ends the attempt, a person is asked with no
 * half-open connection waiting, and the way is gone again from its beginning. `refused` for a key or a login, else
 * `unreachable`. Closing the link closes those that it goes through.
 */
export async function openRoute(pm: string, route: readonly SshSettings[], options: RouteOptions): Promise<SshLink> {
  const destination = route.at(-1)!.address
  for (let attempt = 0; attempt <= route.length; attempt++) {
    const way = await walk(route, options, () => false)
    if ('link' in way) return way.link
    const accepted = await options.hostKeys.ask(pm, way.key)
    if (!accepted) throw unknownKeyRefusal(destination, way.key, accepted === false)
  }
  throw new PengxError('refused', `the key of ${destination} was accepted but is not known still`)
}

/**
 * The key that the last machine of a route shows now; nobody logs in there, but in the hosts before it. `refused`
 * where the key of one of those is not known: nobody is asked.
 */
export async function presentedKey(route: readonly SshSettings[], options: RouteOptions): Promise<PresentedKey> {
  const last = route.at(-1)!
  const way = await walk(route, options, (settings) => settings === last)
  if ('link' in way) {
    await way.link.close()
    throw new PengxError('internal', `${last.address} let us in before its key was seen`)
  }
  if (way.key.settings !== last) throw unknownKeyRefusal(last.address, way.key, false)
  return way.key
}

/** To the end of the route, or to the first machine whose key is not known or is only to be seen. */
async function walk(
  route: readonly SshSettings[],
  options: RouteOptions,
  onlySee: (settings: SshSettings) => boolean,
): Promise<{ readonly link: SshLink } | { readonly key: PresentedKey }> {
  const links: SshLink[] = []
  const closeAll = () => Promise.all(links.map((link) => link.close())).then(() => undefined)
  try {
    for (const settings of route) {
      const before = links.at(-1)
      const through = before ? { stream: await tunnel(before, settings) } : await proxyOf(settings, options.local)
      const hop = await dialHop(settings, options, through, onlySee(settings))
      if ('key' in hop) {
        if (hop.error instanceof PengxError) throw hop.error
        await closeAll()
        return { key: hop.key }
      }
      links.push(hop.link)
    }
  } catch (error) {
    await closeAll()
    throw error
  }
  const link = links.at(-1)!
  link.onLost(() => void closeAll())
  return { link: { ...link, close: closeAll } }
}

async function tunnel(link: SshLink, settings: SshSettings): Promise<Duplex> {
  try {
    return await link.tunnel(settings.hostName, settings.port)
  } catch (error) {
    const text = `the jump host does not get through to ${settings.address}: ${(error as Error).message}`
    throw new PengxError('unreachable', text, { cause: error })
  }
}

/** Any stream there is instead of a TCP connection of our own; a process can say why it is none. */
type Through = Pick<ProxyConnection, 'stream'> & Partial<Pick<ProxyConnection, 'trouble'>>

async function proxyOf({ address, proxyCommand }: SshSettings, local: Host): Promise<Through | undefined> {
  if (proxyCommand === undefined) return undefined
  try {
    return await openProxyCommand(local, proxyCommand)
  } catch (error) {
    const text = `${address}: its ProxyCommand does not start: ${(error as Error).message}`
    throw new PengxError('unreachable', text, { cause: error })
  }
}

async function dialHop(
  settings: SshSettings,
  options: RouteOptions,
  through: Through | undefined,
  onlySee: boolean,
): Promise<Hop> {
  // Loaded with the first connection: a start that needs none does not pay for it.
  const { dial } = await import('./ssh.ts')
  const entries = await options.hostKeys.read(settings)
  let rejected: Hop | undefined
  try {
    const link = await dial({
      host: settings.hostName,
      port: settings.port,
      user: settings.user,
      ...(through ? { through: through.stream } : {}),
      ...(settings.family === undefined ? {} : { family: settings.family }),
      ...(settings.localAddress === undefined ? {} : { localAddress: settings.localAddress }),
      hostKeyTypes: wantedKeyTypes(entries, settings),
      verify: (blob) => {
        const key = { settings, blob: new Uint8Array(blob) }
        const error = checkKey(entries, key)
        if (onlySee) rejected = { key, error: undefined }
        else if (error !== undefined) rejected = { key, error }
        return rejected === undefined
      },
      ...(settings.agentSocket === undefined ? {} : { agentSocket: settings.agentSocket }),
      identityFiles: settings.identityFiles,
      certificateFiles: settings.certificateFiles,
      identitiesOnly: settings.identitiesOnly,
      connectTimeoutMs: settings.connectTimeoutMs ?? options.connectTimeoutMs ?? 15_000,
      keepaliveMs: options.keepaliveMs ?? 15_000,
      keepaliveMisses: options.keepaliveMisses ?? 3,
    })
    return { link }
  } catch (error) {
    if (rejected) return rejected
    const reason = toPengxError(error)
    const trouble = reason.code === 'unreachable' ? await through?.trouble?.() : undefined
    const proxy = trouble === undefined ? '' : `; its ProxyCommand ${trouble}`
    throw new PengxError(reason.code, `${settings.address}: ${reason.message}${proxy}`, { cause: reason })
  }
}
