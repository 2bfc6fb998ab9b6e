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
