/** A virtual network interface of a VM (xl-network-configuration(5)). */
export interface Nic {
  /** A number of its own on the whole site; 0 until the store has given it one. */
  readonly id: number
  /** As the guest names it: `eth0`, `eth1`, … */
  readonly name: string
  readonly mac: string
  readonly bridge: string
  /** Kept and shown; pengx does not configure the guest. */
  readonly ip: string
  /** `rtl8139`, `e1000`, … where the configuration names one. */
  readonly model?: string
  /** The rest of its specification, kept and written back: `script=…`, `rate=…`. */
  readonly extra?: string
}

/** Why an address cannot be an interface's own, or undefined. */
export function refuseMac(mac: string): string | undefined {
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(mac)) return `"${mac}" is not a MAC address like 00:16:3e:12:34:56`
  // the lowest bit of the first byte: an address of a group (IEEE 802)
  if (Number.parseInt(mac.slice(0, 2), 16) % 2 === 1) return `${mac} is an address of a group, not of one interface`
  return undefined
}
