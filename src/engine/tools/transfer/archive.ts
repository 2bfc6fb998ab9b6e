import { changes, endable, type Program } from '../program.ts'

/** What leaves: a directory that only its owner looks into, a tar archive, and a name that nothing has yet. */

/** Made here and nowhere above; 1: something of that name is there. */
export function newDirectory(path: string): Program {
  return { ...changes('mkdir', '-m', '700', path), okExits: [0, 1] }
}

/** A file that only its owner reads, and is empty. */
export function privateFile(path: string): Program {
  return changes('install', '-m', '600', '/dev/null', path)
}

/** Never over what is there; some mv say so by 1. */
export function moveNew(from: string, to: string): Program {
  return { ...changes('mv', '-n', '-T', from, to), okExits: [0, 1] }
}

export function removeTree(path: string): Program {
  return changes('rm', '-rf', path)
}

/** Where a header's eleven octal digits end. */
const MOST_USTAR_BYTES = 8 * 1024 ** 3

/**
 * Files of one directory in their order, nobody's and without a time of their own name; as POSIX has it (OVAs are ustar),
 * and as GNU writes what is too large for that.
 */
export function packTar(
  directory: string,
  members: readonly { readonly name: string; readonly bytes: number }[],
  target: string,
): Program {
  const format = members.some(({ bytes }) => bytes >= MOST_USTAR_BYTES) ? 'gnu' : 'ustar'
  const owner = ['--owner=root:0', '--group=root:0', '--mode=0600']
  return endable(
    'tar',
    `--format=${format}`,
    ...owner,
    '-C',
    directory,
    '-cf',
    target,
    ...members.map(({ name }) => name),
  )
}
