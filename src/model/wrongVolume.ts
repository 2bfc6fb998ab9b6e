/** A volume that a domain has open for writing and must not: what it writes there is lost, or ruins what lies there. */
export interface WrongVolume {
  /** The disk's name in the guest; of `shared` the VM's own disk. */
  readonly vdev: string
  readonly path: string
  /**
   * `frozen`: of a layer, or a template's, which nobody may write to. `others`: the current volume of another VM.
   * `foreign`: none that is written down. `shared`: this VM's own volume, which another domain has open.
   */
  readonly kind: 'frozen' | 'others' | 'foreign' | 'shared'
  /** Whose volume it is, where it is not the VM's own; of `shared` the other domain. */
  readonly of?: string
  /** What the disk should be; absent for a disk that is not written down. */
  readonly expected?: string
  /** When it was seen first. */
  readonly since: number
}

/** What is wrong with a volume and what to do, in a line. `writtenSince`: since when it has been written to, for a person. */
export function wrongVolumeText(wrong: WrongVolume, writtenSince: string): string {
  const { vdev, path, of, expected } = wrong
  switch (wrong.kind) {
    case 'frozen': {
      const whose = of === undefined ? 'the frozen base' : `the frozen volume of ${of},`
      return `power it off now: ${vdev} writes to ${whose} ${path}; what it has written since ${writtenSince} is not in the VM's disks, and what lies on that volume is harmed; then start it with pengx`
    }
    case 'others':
      return `power it off now: ${vdev} writes to ${path}, which is the disk of ${of}: two guests writing one disk ruin it`
    case 'foreign':
      return expected === undefined
        ? `${vdev} writes to ${path}, which is none of its disks: no snapshot and no backup has what it holds; detach it, or power it off and start it with pengx`
        : `power it off now: ${vdev} writes to ${path} and not to ${expected}; what it has written since ${writtenSince} is not in the VM's disks; then start it with pengx`
    case 'shared':
      return `its ${vdev} (${path}) is also open for ${of}: power that off before anything else is done with this VM`
  }
}
