/** Names as pengx gives them in a storlink, and what a crash may leave of them (volumes/file.ts, volumes/blockRoom.ts, tools/files.ts). */

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
const FILE = new RegExp(`^${UUID}\\.(qcow2|raw|vhd|seed\\.iso|backup\\.json)$`, 'i')
const VOLUME = new RegExp(`^pengx-${UUID}$`, 'i')
/** What pengx lays on a storage for itself, and for others of its kind: its marker, and claims beside volumes. */
const MARK = /^\.pengx|\.claim(\.next)?$/

export interface VolumeName {
  /** The path of the volume that it is, or that it was to become. */
  readonly base: string
  /** `draft`: it was never whole. `aside`: it was a volume, and may come back as one. */
  readonly stage: 'volume' | 'draft' | 'aside'
  /** pengx gives such names. */
  readonly ours: boolean
  readonly isMark: boolean
}

/** Pure. What the name of a file or logical volume in a storlink says of it. */
export function readName(path: string): VolumeName {
  const at = path.lastIndexOf('/') + 1
  const [directory, name] = [path.slice(0, at), path.slice(at)]
  // A step that was repeated, or the removal of a leftover, may put one ending behind another.
  let bare = name
  let stage: VolumeName['stage'] = 'volume'
  for (;;) {
    const [, rest, ending] = /^(.+)\.(new|aside|parts|part\d+)$/.exec(bare) ?? []
    if (rest === undefined) break
    bare = rest
    if (ending === 'aside') stage = stage === 'draft' ? 'draft' : 'aside'
    else stage = 'draft'
  }
  // a text that is written has its draft where a shell's `*` does not meet it
  if (stage === 'draft' && bare.startsWith('.') && FILE.test(bare.slice(1))) bare = bare.slice(1)
  const ours = directory.startsWith('/dev/') ? VOLUME.test(bare) : FILE.test(bare)
  return { base: `${directory}${bare}`, stage, ours, isMark: MARK.test(name) }
}
