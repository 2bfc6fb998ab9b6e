import { z } from 'zod'
import { type IsoFile, readIso, writeIso } from '../../lib/iso9660.ts'

/**
 * What cloud-init's NoCloud source reads at a guest's first boot: a CD labelled `cidata` with three files. Each is YAML,
 * of which JSON is a part: so nothing in a name or key can be taken for something else.
 */
export interface Seed {
  /** What makes this guest another one than the template's: cloud-init does its work once for each. */
  readonly instanceId: string
  readonly hostname: string
  readonly user?: string
  /** A public key, as one line of authorized_keys. */
  readonly key?: string
  readonly address?: SeedAddress
  /** The interface that gets the address. */
  readonly mac?: string
}

export interface SeedAddress {
  /** `192.0.2.10/24`. */
  readonly address: string
  readonly gateway?: string
  readonly dns: readonly string[]
}

const isIp = (text: string) => z.ipv4().safeParse(text).success || z.ipv6().safeParse(text).success

/** `ADDRESS/PREFIX[,GATEWAY[,DNS…]]`; undefined where it is none. */
export function parseSeedAddress(text: string): SeedAddress | undefined {
  const [address = '', gateway, ...dns] = text.split(',').map((word) => word.trim())
  const [ip = '', prefix, ...more] = address.split('/')
  const longest = ip.includes(':') ? 128 : 32
  if (!isIp(ip) || more.length > 0 || !/^\d{1,3}$/.test(prefix ?? '') || Number(prefix) > longest) return undefined
  if (gateway !== undefined && gateway !== '' && !isIp(gateway)) return undefined
  if (!dns.every(isIp)) return undefined
  return { address, ...(gateway ? { gateway } : {}), dns }
}

export function isUserName(text: string): boolean {
  return /^[a-z_][a-z0-9_-]{0,31}$/.test(text)
}

export function isHostname(text: string): boolean {
  return text.length <= 253 && text.split('.').every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
}

/** A VM's name as a host name, where nobody has said another. */
export function hostnameOf(name: string, uuid: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '')
  return plain === '' ? `vm-${uuid.slice(0, 8)}` : plain
}

function seedFiles(seed: Seed): IsoFile[] {
  const files: [string, string][] = [
    ['user-data', `#cloud-config\n${yaml(userData(seed))}`],
    ['meta-data', yaml({ 'instance-id': seed.instanceId, 'local-hostname': seed.hostname })],
  ]
  if (seed.address) files.push(['network-config', yaml(networkConfig(seed, seed.address))])
  return files.map(([name, text]) => ({ name, content: new TextEncoder().encode(text) }))
}

const LABEL = 'cidata'

export function seedIso(seed: Seed, at: number): Uint8Array {
  return writeIso(LABEL, seedFiles(seed), at)
}

const SAID = {
  'meta-data': z.object({ 'instance-id': z.string(), 'local-hostname': z.string() }),
  'user-data': z.object({
    ssh_authorized_keys: z.array(z.string()).max(1).optional(),
    users: z
      .tuple([
        z.literal('default'),
        z.object({ name: z.string(), ssh_authorized_keys: z.array(z.string()).max(1).optional() }),
      ])
      .optional(),
  }),
  'network-config': z.object({
    config: z.tuple([
      z.object({
        mac_address: z.string().optional(),
        subnets: z.tuple([
          z.object({
            address: z.string(),
            gateway: z.string().optional(),
            dns_nameservers: z.array(z.string()).optional(),
          }),
        ]),
      }),
    ]),
  }),
}

/**
 * The other way round: what a seed says that `seedIso` made; undefined for one that says anything else, as one that
 * somebody has changed. Pure.
 */
export function parseSeed(image: Uint8Array): Seed | undefined {
  const texts = new Map(
    readIso(image, LABEL)?.map(({ name, content }) => [name, new TextDecoder().decode(content)] as const),
  )
  try {
    const seed = seedOf(texts)
    const own = seedFiles(seed)
    const isOwn = own.every(({ name, content }) => texts.get(name) === new TextDecoder().decode(content))
    return isOwn && own.length === texts.size ? seed : undefined
  } catch {
    return undefined
  }
}

function seedOf(texts: ReadonlyMap<string, string>): Seed {
  const json = (name: string) => JSON.parse(texts.get(name)?.replace(/^#cloud-config\n/, '') ?? 'null')
  const meta = SAID['meta-data'].parse(json('meta-data'))
  const { users, ssh_authorized_keys: keys } = SAID['user-data'].parse(json('user-data'))
  const [, account] = users ?? []
  const key = (account ? account.ssh_authorized_keys : keys)?.[0]
  const [card] = texts.has('network-config') ? SAID['network-config'].parse(json('network-config')).config : []
  const { address, gateway, dns_nameservers: dns = [] } = card?.subnets[0] ?? { address: undefined }
  return {
    instanceId: meta['instance-id'],
    hostname: meta['local-hostname'],
    ...(account ? { user: account.name } : {}),
    ...(key === undefined ? {} : { key }),
    ...(address === undefined ? {} : { address: { address, ...(gateway === undefined ? {} : { gateway }), dns } }),
    ...(card?.mac_address === undefined ? {} : { mac: card.mac_address }),
  }
}

function yaml(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** A key without a user goes to the image's own first user. */
function userData({ hostname, user, key }: Seed): object {
  const keys = key === undefined ? {} : { ssh_authorized_keys: [key] }
  if (user === undefined) return { hostname, ...keys }
  const account = { name: user, shell: '/bin/bash', sudo: 'ALL=(ALL) NOPASSWD:ALL', lock_passwd: true, ...keys }
  return { hostname, users: ['default', account] }
}

/** Version 1, which every cloud-init reads and renders for every system. */
function networkConfig({ mac }: Seed, { address, gateway, dns }: SeedAddress): object {
  const subnet = {
    type: address.includes(':') ? 'static6' : 'static',
    address,
    ...(gateway === undefined ? {} : { gateway }),
    ...(dns.length === 0 ? {} : { dns_nameservers: dns }),
  }
  const card = { type: 'physical', name: 'eth0', ...(mac === undefined ? {} : { mac_address: mac }), subnets: [subnet] }
  return { version: 1, config: [card] }
}
