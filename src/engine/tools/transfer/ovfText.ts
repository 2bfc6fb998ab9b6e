import { escapeXml } from '../../../lib/xml.ts'

/** An OVF that says what pengx knows of a VM (DMTF DSP0243); `parseOvf` reads it again. */
export interface OvfWords {
  readonly name: string
  readonly memoryMib: number
  readonly vcpus: number
  readonly isUefi: boolean
  readonly disks: readonly OvfFile[]
  /** By the bridge that each is on. */
  readonly networks: readonly string[]
}

interface OvfFile {
  readonly name: string
  readonly bytes: number
  readonly virtualBytes: number
  readonly format: 'qcow2' | 'raw' | 'vmdk'
}

/** The names by which others know a format. */
const FORMATS: Readonly<Record<OvfFile['format'], string>> = {
  vmdk: 'http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized',
  qcow2: 'http://www.gnome.org/~markmc/qcow-image-format.html',
  raw: 'urn:raw',
}

const CIM = 'http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2'
const OVF = 'http://schemas.dmtf.org/ovf/envelope/1'

/** Pure. The same for the same words. */
export function formatOvf(words: OvfWords): string {
  const { disks, networks } = words
  const named = [...new Set(networks)]
  const files = disks.map(({ name, bytes }, at) =>
    empty('File', { id: `file${at}`, href: encodeURIComponent(name), size: bytes }),
  )
  const rows = disks.map(({ virtualBytes, format }, at) =>
    empty('Disk', {
      diskId: `disk${at}`,
      fileRef: `file${at}`,
      capacity: virtualBytes,
      capacityAllocationUnits: 'byte',
      format: FORMATS[format],
    }),
  )
  const nets = named.map(
    (name) => `<Network ovf:name="${networkName(name)}"><Description>${networkName(name)}</Description></Network>`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="${OVF}" xmlns:ovf="${OVF}" xmlns:rasd="${CIM}/CIM_ResourceAllocationSettingData" xmlns:vssd="${CIM}/CIM_VirtualSystemSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>${lines(files)}</References>
  <DiskSection><Info>disks</Info>${lines(rows)}</DiskSection>
  <NetworkSection><Info>networks</Info>${lines(nets)}</NetworkSection>
  <VirtualSystem ovf:id="vm">
    <Info>a virtual machine</Info>
    <Name>${escapeXml(words.name)}</Name>
    <VirtualHardwareSection>
      <Info>its hardware</Info>
      <System>${element('vssd:ElementName', 'hardware')}${element('vssd:InstanceID', 0)}${element('vssd:VirtualSystemType', 'xen')}</System>${lines(itemsOf(words))}${
        words.isUefi ? '\n      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>' : ''
      }
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`
}

function networkName(bridge: string): string {
  return escapeXml(bridge || 'default')
}

function lines(parts: readonly string[]): string {
  return parts.map((part) => `\n      ${part}`).join('')
}

function empty(name: string, attributes: Readonly<Record<string, string | number>>): string {
  const words = Object.entries(attributes).map(([key, value]) => ` ovf:${key}="${escapeXml(String(value))}"`)
  return `<${name}${words.join('')}/>`
}

function element(name: string, value: string | number): string {
  return `<${name}>${escapeXml(String(value))}</${name}>`
}

/** What an item says, in the order that the schema asks for: by the name. */
function item(words: Readonly<Record<string, string | number>>): string {
  const parts = Object.entries(words).sort(([a], [b]) => (a < b ? -1 : 1))
  return `<Item>${parts.map(([name, value]) => element(`rasd:${name}`, value)).join('')}</Item>`
}

const FIRST_DISK = 10
const FIRST_NIC = 1000

function itemsOf({ vcpus, memoryMib, disks, networks }: OvfWords): string[] {
  return [
    item({ ElementName: 'CPUs', InstanceID: 1, ResourceType: 3, VirtualQuantity: vcpus }),
    item({
      AllocationUnits: 'byte * 2^20',
      ElementName: 'memory',
      InstanceID: 2,
      ResourceType: 4,
      VirtualQuantity: memoryMib,
    }),
    item({ Address: 0, ElementName: 'SCSI controller', InstanceID: 3, ResourceSubType: 'lsilogic', ResourceType: 6 }),
    ...disks.map((_, at) =>
      item({
        AddressOnParent: at,
        ElementName: `disk ${at}`,
        HostResource: `ovf:/disk/disk${at}`,
        InstanceID: FIRST_DISK + at,
        Parent: 3,
        ResourceType: 17,
      }),
    ),
    ...networks.map((bridge, at) =>
      item({
        AutomaticAllocation: 'true',
        Connection: bridge || 'default',
        ElementName: `interface ${at}`,
        InstanceID: FIRST_NIC + at,
        ResourceSubType: 'E1000',
        ResourceType: 10,
      }),
    ),
  ]
}

/** Pure. Digests as they stand beside an OVF; `parseManifest` reads them. */
export function formatManifest(digests: readonly { readonly name: string; readonly sha256: string }[]): string {
  return digests.map(({ name, sha256 }) => `SHA256(${name})= ${sha256}\n`).join('')
}
