import { parseXml, type XmlElement } from '../../../lib/xml.ts'

/** A description of a VM as others write it (DMTF DSP0243, "Open Virtualization Format"), and the digests beside it. */
export interface OvfDisk {
  /** The member that holds it; absent: an empty one. */
  readonly file?: { readonly href: string; readonly bytes?: number }
  /** As the guest sees it. */
  readonly bytes: number
}

export interface OvfVm {
  readonly name?: string
  readonly memoryMib?: number
  readonly vcpus?: number
  readonly isUefi: boolean
  /** In the order in which the guest has them. */
  readonly disks: readonly OvfDisk[]
  readonly nicCount: number
  /** What of it is left out, as sentences. */
  readonly notices: readonly string[]
}

export type OvfResult = { readonly ok: true; readonly vm: OvfVm } | { readonly ok: false; readonly problem: string }

/** Deep enough for any of these, VirtualBox's own words included. */
const MOST_DEPTH = 32

/** Resource types of CIM (CIM_ResourceAllocationSettingData). */
const [CPU, MEMORY, NIC, DISK] = ['3', '4', '10', '17']

/** Pure. One VM, or the first thing that keeps it from being one. Prefixes of names are not looked at. */
export function parseOvf(text: string): OvfResult {
  const xml = parseXml(text.replace(/^\ufeff/, ''), MOST_DEPTH, { attributes: true })
  if (!xml.ok) return xml
  try {
    return { ok: true, vm: readEnvelope(xml.root) }
  } catch (error) {
    if (error instanceof SyntaxError) return { ok: false, problem: error.message }
    throw error
  }
}

function refuse(problem: string): never {
  throw new SyntaxError(problem)
}

function local(name: string): string {
  return name.slice(name.indexOf(':') + 1)
}

function all({ children }: XmlElement, name: string): XmlElement[] {
  return children.filter((child) => local(child.name) === name)
}

function one(element: XmlElement, name: string): XmlElement | undefined {
  const found = all(element, name)
  if (found.length > 1) refuse(`<${local(element.name)}> has several <${name}>`)
  return found[0]
}

function attribute(element: XmlElement, name: string): string | undefined {
  const found = [...(element.attributes ?? [])].filter(([key]) => local(key) === name)
  if (found.length > 1) refuse(`<${local(element.name)}> says ${name} twice`)
  return found[0]?.[1]
}

function needAttribute(element: XmlElement, name: string): string {
  return attribute(element, name) ?? refuse(`a <${local(element.name)}> does not say its ${name}`)
}

function wordOf(element: XmlElement | undefined): string | undefined {
  const word = element?.text.trim()
  return word === '' ? undefined : word
}

function readEnvelope(root: XmlElement): OvfVm {
  if (local(root.name) !== 'Envelope') refuse(`it begins with <${root.name}>: an OVF begins with <Envelope>`)
  if (one(root, 'VirtualSystemCollection')) refuse('it describes several VMs: one is read')
  const system = one(root, 'VirtualSystem') ?? refuse('it describes no VM')
  const hardware = one(system, 'VirtualHardwareSection') ?? refuse('its VM has no hardware')
  const items = ['Item', 'StorageItem', 'EthernetPortItem'].flatMap((name) => all(hardware, name)).map(readItem)
  const cpus = items.filter(({ type }) => type === CPU)
  const memory = items.filter(({ type }) => type === MEMORY)
  if (cpus.length > 1 || memory.length > 1) refuse('it says twice how many CPUs or how much memory the VM has')
  const { disks, notices } = readDisks(root, items)
  const isUefi = all(hardware, 'Config').some(
    (config) => attribute(config, 'key') === 'firmware' && attribute(config, 'value')?.toLowerCase() === 'efi',
  )
  const name = wordOf(one(system, 'Name')) ?? attribute(system, 'id')
  const [cpu, ram] = [cpus[0], memory[0]]
  return {
    ...(name === undefined ? {} : { name: name.trim() }),
    ...(ram ? { memoryMib: Math.ceil(quantityOf(ram, ram.units) / (1024 * 1024)) } : {}),
    ...(cpu ? { vcpus: quantityOf(cpu, undefined) } : {}),
    isUefi,
    disks,
    nicCount: items.filter(({ type }) => type === NIC).length,
    notices,
  }
}

interface Item {
  readonly type: string | undefined
  readonly id: string | undefined
  readonly parent: string | undefined
  readonly place: number
  readonly quantity: string | undefined
  readonly units: string | undefined
  readonly resources: readonly string[]
}

function readItem(element: XmlElement): Item {
  const word = (name: string) => wordOf(one(element, name))
  const place = Number(word('AddressOnParent') ?? Number.NaN)
  return {
    type: word('ResourceType'),
    id: word('InstanceID') ?? word('InstanceId'),
    parent: word('Parent'),
    place: Number.isInteger(place) ? place : Number.MAX_SAFE_INTEGER,
    quantity: word('VirtualQuantity'),
    units: word('AllocationUnits'),
    resources: all(element, 'HostResource').flatMap((resource) => wordOf(resource) ?? []),
  }
}

function quantityOf({ quantity = '' }: Item, units: string | undefined): number {
  const value = /^\d+$/.test(quantity) ? Number(quantity) * unitBytes(units) : Number.NaN
  if (!Number.isSafeInteger(value) || value < 1) refuse(`"${quantity}" is no amount of memory or CPUs`)
  return value
}

const NAMED_UNITS: Readonly<Record<string, number>> = {
  megabytes: 20,
  mb: 20,
  gigabytes: 30,
  gb: 30,
  kilobytes: 10,
  kb: 10,
}

/** DSP0004's programmatic units, and the names that were written before. */
function unitBytes(units: string | undefined): number {
  if (units === undefined) return 1
  const word = units.trim().toLowerCase()
  const power = /^bytes?(?:\s*\*\s*2\s*\^\s*(\d{1,2}))?$/.exec(word)
  const exponent = power ? Number(power[1] ?? 0) : NAMED_UNITS[word]
  if (exponent === undefined || exponent > 50) return refuse(`"${units}" is no unit that is known`)
  return 2 ** exponent
}

function readDisks(root: XmlElement, items: readonly Item[]): { disks: OvfDisk[]; notices: string[] } {
  const files = byId(one(root, 'References'), 'File')
  const disks = byId(one(root, 'DiskSection'), 'Disk', 'diskId')
  const controllers = items.map(({ id }) => id)
  const drives = items
    .filter(({ type }) => type === DISK)
    .map((item) => ({ item, parent: controllers.indexOf(item.parent) }))
    .sort((a, b) => a.parent - b.parent || a.item.place - b.item.place)
  const used = new Set<string>()
  const found = drives.map(({ item }) => {
    const id = /^(?:ovf:)?\/disk\/(.+)$/.exec(item.resources[0] ?? '')?.[1]
    if (id === undefined || item.resources.length > 1) return refuse('a disk of its VM does not say which one it is')
    const disk = disks.get(id) ?? refuse(`disk ${id} of its VM is not in its <DiskSection>`)
    if (used.has(id)) refuse(`disk ${id} is there twice`)
    used.add(id)
    return readDisk(disk, id, files)
  })
  const left = [...disks.keys()].filter((id) => !used.has(id))
  return { disks: found, notices: left.map((id) => `disk ${id} of the OVF belongs to no VM: left out`) }
}

function byId(section: XmlElement | undefined, name: string, id = 'id'): Map<string, XmlElement> {
  const found = new Map<string, XmlElement>()
  for (const element of section ? all(section, name) : []) {
    const key = needAttribute(element, id)
    if (found.has(key)) refuse(`two <${name}> are called ${key}`)
    found.set(key, element)
  }
  return found
}

function readDisk(disk: XmlElement, id: string, files: ReadonlyMap<string, XmlElement>): OvfDisk {
  if (attribute(disk, 'parentRef') !== undefined) refuse(`disk ${id} holds only what differs from another disk`)
  const capacity = needAttribute(disk, 'capacity')
  const bytes = /^\d+$/.test(capacity)
    ? Number(capacity) * unitBytes(attribute(disk, 'capacityAllocationUnits'))
    : Number.NaN
  if (!Number.isSafeInteger(bytes) || bytes < 1) refuse(`the capacity of disk ${id}, "${capacity}", is no size`)
  const ref = attribute(disk, 'fileRef')
  if (ref === undefined || ref === '') return { bytes }
  const file = files.get(ref) ?? refuse(`disk ${id} lies in file ${ref}, which is not among its <References>`)
  const compression = attribute(file, 'compression') ?? 'identity'
  if (!/^(identity)?$/i.test(compression))
    refuse(`disk ${id} is compressed (${compression}): unpack it and say so in the OVF`)
  if (attribute(file, 'chunkSize') !== undefined) refuse(`disk ${id} lies in several files`)
  const size = attribute(file, 'size')
  return { bytes, file: { href: hrefOf(file), ...(size === undefined ? {} : { bytes: Number(size) }) } }
}

/** The name of a member: a URI that leads nowhere else. */
function hrefOf(file: XmlElement): string {
  const href = needAttribute(file, 'href')
  const name = decoded(href)
  const leads = /^[a-z][a-z0-9+.-]*:/i.test(href) || name.startsWith('/') || name.split('/').includes('..')
  if (leads || name === '') refuse(`file ${JSON.stringify(href)} is outside of the archive: that is not followed`)
  return name.replace(/^(\.\/)+/, '')
}

function decoded(href: string): string {
  try {
    return decodeURIComponent(href)
  } catch {
    return href
  }
}

export interface ManifestLine {
  readonly name: string
  /** coreutils' program for it. */
  readonly program: DigestProgram
  readonly digest: string
}

export type DigestProgram = 'sha1sum' | 'sha256sum' | 'sha512sum'

const DIGITS: Readonly<Record<string, number>> = { sha1: 40, sha256: 64, sha512: 128 }

/** Pure. `SHA256(web01.ovf)= 3a…` a line; undefined where a line says something else, or a member stands there twice. */
export function parseManifest(text: string): ManifestLine[] | undefined {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const found = lines.map((line) => {
    const [, kind = '', name = '', digest = ''] =
      /^(SHA(?:1|256|512))\s*\((.+)\)\s*=\s*([0-9a-f]+)\s*$/i.exec(line) ?? []
    const program = `${kind.toLowerCase()}sum` as DigestProgram
    return digest.length === DIGITS[kind.toLowerCase()] ? { name, program, digest: digest.toLowerCase() } : undefined
  })
  const known = found.filter((line) => line !== undefined)
  return known.length === lines.length && new Set(known.map(({ name }) => name)).size === known.length
    ? known
    : undefined
}
