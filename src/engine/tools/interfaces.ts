import type { PmInterface } from '../../model/pm.ts'
import { type Program, reads } from './program.ts'

/**
 * Network interfaces of dom0, from ip(8). A guest's own ends of wires (vifD.N, its -emu tap, whatever name `vifname=`
 * gave it) are not the machine's: netback gives them all one MAC address.
 */

/** `-d` tells what kind of virtual interface one is: a physical card has no kind. */
export const listAddresses: Program = reads('ip', '-j', '-d', 'addr')

/** Where ip(8) is too old to write JSON. */
export function cardAddress(name: string): Program {
  return reads('cat', `/sys/class/net/${name}/address`)
}

export interface Interfaces {
  readonly physical: readonly PmInterface[]
  readonly bridges: readonly string[]
}

interface Link {
  readonly ifname: string
  readonly link_type?: string
  readonly address?: string
  readonly master?: string
  readonly linkinfo?: { readonly info_kind?: string }
  readonly addr_info?: readonly { readonly family?: string; readonly local?: string; readonly scope?: string }[]
}

const NETBACK_MAC = 'fe:ff:ff:ff:ff:ff'

/** Undefined where the text is not what `ip -j` writes. A card in a bridge has the bridge's IP address, if any. */
export function parseAddresses(stdout: string): Interfaces | undefined {
  const links = parseLinks(stdout)
  if (links === undefined) return undefined
  const masters = new Set(links.map((link) => link.master))
  const isBridge = (link: Link) =>
    link.linkinfo?.info_kind === 'bridge' ||
    (link.linkinfo?.info_kind === undefined && masters.has(link.ifname) && !link.ifname.startsWith('bond'))
  const bridges = links.filter(isBridge)
  const physical = links.filter(
    (link) =>
      link.link_type === 'ether' &&
      link.linkinfo?.info_kind === undefined &&
      link.address !== NETBACK_MAC &&
      !isGuestEnd(link.ifname) &&
      !isBridge(link),
  )
  const ipOf = (link: Link): string => {
    const own = link.addr_info?.find((addr) => addr.family === 'inet' && addr.scope !== 'link')?.local
    if (own !== undefined) return own
    const master = link.master === undefined ? undefined : links.find((other) => other.ifname === link.master)
    return master === undefined ? '' : ipOf(master)
  }
  return {
    physical: physical.map((link) => ({ name: link.ifname, mac: link.address ?? '', ip: ipOf(link) })),
    bridges: bridges.map((link) => link.ifname),
  }
}

function parseLinks(stdout: string): Link[] | undefined {
  try {
    const links = JSON.parse(stdout)
    // ip(8) of some versions leaves an empty object for what it filtered out
    return Array.isArray(links) ? links.filter((link) => typeof link?.ifname === 'string') : undefined
  } catch {
    return undefined
  }
}

/** Which of the names in /proc/net/dev may be cards or bridges. */
export function mayBeCard(name: string): boolean {
  return name !== 'lo' && !isGuestEnd(name)
}

/** dom0's end of a guest's wire. */
export function isGuestEnd(name: string): boolean {
  return /^(vif\d+\.\d+|tap)/.test(name)
}

/** The domain and device that dom0's end of a wire belongs to; an emulated card has `-emu` behind it. */
export function parseVifName(name: string): { readonly domid: number; readonly device: number } | undefined {
  const found = /^vif(\d+)\.(\d+)(-emu)?$/.exec(name)
  return found ? { domid: Number(found[1]), device: Number(found[2]) } : undefined
}
