/** Programs that make, change and remove files: tee, rm, mkdir, rmdir, chmod, touch, truncate, fallocate. */
import {
  charge,
  findNode,
  freeBytes,
  fsError,
  isFsError,
  locate,
  makeDir,
  makeDirs,
  mountOf,
  needNode,
  openForWrite,
  removeDir,
  removeTree,
  setAllocated,
  unlink,
} from '../../machine/files.ts'
import type { Program } from '../../machine/program.ts'
import { attempt, bytesOf, parse, writeInto } from './words.ts'

export const tee: Program = async (call) => {
  const { letters, words } = parse(call)
  const text = await call.stdin()
  let exit = 0
  for (const path of words) exit = attempt(call, path, () => writeInto(call, path, text, letters.includes('a'))) || exit
  call.out(text)
  return exit
}

export const rm: Program = (call) => {
  const { letters, words } = parse(call)
  let exit = 0
  for (const path of words) {
    const found = attempt(call, `cannot remove '${path}'`, () => {
      let place: ReturnType<typeof locate> | undefined
      try {
        place = locate(call.pm, path, false)
      } catch (error) {
        if (!isFsError(error) || !letters.includes('f')) throw error
      }
      if (place?.node === undefined) {
        if (!letters.includes('f')) throw fsError('ENOENT')
      } else if (place.node.kind === 'dir' && !/[rR]/.test(letters)) throw fsError('EISDIR')
      else if (place.node.kind === 'dir') removeTree(call.pm, path)
      else unlink(call.pm, path)
    })
    exit = found || exit
  }
  call.world.save()
  return exit
}

export const mkdir: Program = (call) => {
  const { letters, values, words } = parse(call, 'm')
  const mode = Number.parseInt(values.get('m') ?? '755', 8)
  let exit = 0
  for (const path of words) {
    const made = attempt(call, `cannot create directory '${path}'`, () => {
      if (letters.includes('p')) makeDirs(call.pm, path, call.now(), mode)
      else makeDir(call.pm, path, call.now(), mode)
    })
    exit = made || exit
  }
  call.world.save()
  return exit
}

export const rmdir: Program = (call) => {
  let exit = 0
  for (const path of parse(call).words)
    exit = attempt(call, `failed to remove '${path}'`, () => removeDir(call.pm, path)) || exit
  call.world.save()
  return exit
}

export const chmod: Program = (call) => {
  const [mode = '', ...paths] = call.argv.slice(1)
  let exit = 0
  for (const path of paths) {
    exit =
      attempt(call, `cannot access '${path}'`, () => {
        const node = needNode(call.pm, path)
        node.mode = changedMode(node.mode, mode)
      }) || exit
  }
  call.world.save()
  return exit
}

/** Octal, or one clause of letters: `a-w`, `u+w`. */
function changedMode(mode: number, text: string): number {
  if (/^[0-7]+$/.test(text)) return Number.parseInt(text, 8)
  const [, who = '', how = '', what = ''] = /^([ugoa]*)([-+])([rwx]+)$/.exec(text) ?? []
  const triples = { u: 6, g: 3, o: 0 }
  let bits = 0
  for (const [letter, shift] of Object.entries(triples)) {
    if (who !== '' && !who.includes('a') && !who.includes(letter)) continue
    for (const one of what) bits |= { r: 4, w: 2, x: 1 }[one]! << shift
  }
  return how === '+' ? mode | bits : mode & ~bits
}

export const touch: Program = (call) => {
  let exit = 0
  for (const path of parse(call, 'dr').words) {
    exit =
      attempt(call, `cannot touch '${path}'`, () => {
        const node = findNode(call.pm, path)
        if (node) node.mtimeMs = call.now()
        else openForWrite(call.pm, path, call.now())
      }) || exit
  }
  call.world.save()
  return exit
}

/** Sparse: the size is not taken from the disk. */
export const truncate: Program = (call) => {
  const { values, words } = parse(call, 's')
  const size = bytesOf(values.get('s') ?? '')
  if (size === undefined) {
    call.err(`truncate: Invalid number: '${values.get('s') ?? ''}'\n`)
    return 1
  }
  const exit = words.reduce(
    (worst, path) =>
      attempt(call, `cannot open '${path}' for writing`, () => {
        const node = findNode(call.pm, path) ?? openForWrite(call.pm, path, call.now())
        if (node.kind !== 'file') throw fsError('EINVAL')
        node.size = size
        node.text = undefined
        node.image ??= { format: 'raw', virtualSize: size }
        if (node.image.format === 'raw') node.image.virtualSize = size
      }) || worst,
    0,
  )
  call.world.save()
  return exit
}

export const fallocate: Program = (call) => {
  const { letters, values, words } = parse(call, 'lo')
  const size = bytesOf(values.get('l') ?? '') ?? 0
  const path = words[0] ?? ''
  const exit = attempt(call, 'fallocate failed', () => {
    if (letters.includes('n')) {
      const kept = needNode(call.pm, path)
      if (kept.kind === 'file') setAllocated(call.pm, path, kept, Math.max(kept.allocated, size))
      return
    }
    if (size > freeBytes(mountOf(call.pm, path))) throw fsError('ENOSPC')
    const node = openForWrite(call.pm, path, call.now())
    if (node.kind === 'file') {
      charge(call.pm, path, size)
      Object.assign(node, { size, allocated: size, text: undefined, image: { format: 'raw', virtualSize: size } })
    }
  })
  call.world.save()
  return exit
}
