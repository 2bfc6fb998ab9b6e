import { createHash } from 'node:crypto'

/** Archives and descriptions as others write them, right and wrong. */
export interface Member {
  readonly name: string
  readonly bytes: Uint8Array | string
  /** `0`: a file. */
  readonly type?: string
  /** What its header says, where that is not so. */
  readonly says?: number
}

const padded = (bytes: Uint8Array) => Buffer.concat([bytes, Buffer.alloc((512 - (bytes.byteLength % 512)) % 512)])

export function tarHeader({ name, bytes, type = '0', says }: Member): Buffer {
  const header = Buffer.alloc(512)
  header.write(name.slice(0, 100), 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  header.write(`${(says ?? Buffer.from(bytes).byteLength).toString(8).padStart(11, '0')}\0`, 124)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write(type, 156)
  header.write('ustar\x0000', 257)
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

export function tarOf(members: readonly Member[]): Buffer {
  const parts = members.flatMap((member) => [tarHeader(member), padded(Buffer.from(member.bytes))])
  return Buffer.concat([...parts, Buffer.alloc(1024)])
}

export interface OvfWords {
  readonly name?: string
  readonly memoryMib?: number
  readonly vcpus?: number
  readonly nics?: number
  readonly disks: readonly { readonly href: string; readonly capacity: number; readonly more?: string }[]
  readonly more?: string
}

export function ovfOf({ name = 'web01', memoryMib = 512, vcpus = 2, nics = 1, disks, more = '' }: OvfWords): string {
  const item = (id: number, type: number, words: string) =>
    `<Item><rasd:InstanceID>${id}</rasd:InstanceID><rasd:ResourceType>${type}</rasd:ResourceType>${words}</Item>`
  const files = disks.map(
    ({ href, more: words = '' }, index) => `<File ovf:id="file${index}" ovf:href="${href}" ${words}/>`,
  )
  const rows = disks.map(
    ({ capacity }, index) =>
      `<Disk ovf:diskId="disk${index}" ovf:fileRef="file${index}" ovf:capacity="${capacity}" ovf:capacityAllocationUnits="byte"/>`,
  )
  // last first: their places on the controller tell the order
  const drives = disks
    .map((_, index) =>
      item(
        10 + index,
        17,
        `<rasd:HostResource>ovf:/disk/disk${index}</rasd:HostResource><rasd:Parent>3</rasd:Parent><rasd:AddressOnParent>${index}</rasd:AddressOnParent>`,
      ),
    )
    .reverse()
  const cards = Array.from({ length: nics }, (_, index) => item(40 + index, 10, ''))
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData">
<References>${files.join('')}</References>
<DiskSection><Info/>${rows.join('')}</DiskSection>
<VirtualSystem ovf:id="vm"><Info/><Name>${name}</Name><VirtualHardwareSection><Info/>
${item(1, 3, `<rasd:VirtualQuantity>${vcpus}</rasd:VirtualQuantity>`)}
${item(2, 4, `<rasd:AllocationUnits>byte * 2^20</rasd:AllocationUnits><rasd:VirtualQuantity>${memoryMib}</rasd:VirtualQuantity>`)}
${item(3, 6, '<rasd:Address>0</rasd:Address>')}
${drives.join('')}${cards.join('')}${more}
</VirtualHardwareSection></VirtualSystem></Envelope>
`
}

export function manifestOf(members: readonly Member[]): string {
  const line = ({ name, bytes }: Member) => `SHA256(${name})= ${createHash('sha256').update(bytes).digest('hex')}\n`
  return members.map(line).join('')
}

/** An OVF, the digests of all, and the disks. */
export function ovaOf(ovf: string, disks: readonly Member[]): Buffer {
  const description = { name: 'web01.ovf', bytes: ovf }
  const manifest = { name: 'web01.mf', bytes: manifestOf([description, ...disks]) }
  return tarOf([description, manifest, ...disks])
}
