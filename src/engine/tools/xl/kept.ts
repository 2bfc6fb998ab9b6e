import { changes, type Program, reads } from '../program.ts'

/**
 * What libxl keeps of a domain: its configuration as JSON (libxl_types.idl), from which `xl list -l` tells, and which
 * `xl save` writes down for `xl restore` to build from. It names the images that the domain was built from, and hears
 * nothing of what QEMU has been told since.
 */

/** What a disk lies on from now on. */
export interface KeptDisk {
  readonly vdev: string
  readonly path: string
  readonly format: string
}

function keptPath(domid: number, uuid: string): string {
  return `/var/lib/xen/userdata-d.${domid}.${uuid}.libxl-json`
}

/** Byte by byte, as base64 in lines. Exit 1: libxl keeps nothing of it. */
export function readKept(domid: number, uuid: string): Program {
  return { ...reads('sh', '-c', 'base64 "$1"', 'pengx-kept', keptPath(domid, uuid)), okExits: [0, 1] }
}

/** Another text, whole or not at all; to be done under libxl's own lock. libxl removes a draft with the domain's files. */
export function writeKept(domid: number, uuid: string, text: string): Program {
  const script = 'umask 077; cat >"$1.draft" && mv -T "$1.draft" "$1"'
  return { ...changes('sh', '-c', script, 'pengx-keep', keptPath(domid, uuid)), stdin: text }
}

type Tree = { readonly [key: string]: unknown }

/**
 * The same with other images under some disks; numbers stay as they are written, however long, and so does the zero byte
 * with which libxl ends it. Throws what JSON.parse does.
 */
export function withKeptDisks(text: string, moved: readonly KeptDisk[]): string {
  const end = /\0*$/.exec(text)![0]
  const config = JSON.parse(text.slice(0, text.length - end.length), keepNumbers) as Tree
  const disks = Array.isArray(config.disks) ? (config.disks as Tree[]) : []
  const changed = disks.map((disk) => {
    const now = moved.find(({ vdev }) => vdev === disk.vdev)
    return now === undefined ? disk : { ...disk, pdev_path: now.path, format: now.format }
  })
  const isSame = changed.every(
    (disk, at) => disk.pdev_path === disks[at]!.pdev_path && disk.format === disks[at]!.format,
  )
  return isSame ? text : `${JSON.stringify({ ...config, disks: changed })}${end}`
}

/** libxl has numbers of 64 bits, of which JavaScript would lose the last digits. */
function keepNumbers(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  const { rawJSON } = JSON as { rawJSON?: (text: string) => unknown }
  return typeof value === 'number' && context?.source !== undefined && rawJSON ? rawJSON(context.source) : value
}
