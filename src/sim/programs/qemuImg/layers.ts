/** `qemu-img` on images that lie on one another: rebase, and whether two read the same. */
import { allocatedFor, charge, findNode, freeBytes, mountOf, setAllocated } from '../../machine/files.ts'
import type { Call } from '../../machine/program.ts'
import { type Image, imagesBelow, METADATA, type Options, openOrSay, readLock } from './images.ts'

/** How fast images are read and copied, at pace 1. */
const MS_PER_GIB = 150
const TURNS = 16

/** With `-u` the header alone; else what would be lost is copied first, and the header is changed when all of it is there. */
export async function rebase(call: Call, given: Options): Promise<number> {
  const path = given.words[0] ?? ''
  const unsafe = given.flags.has('-u')
  const image = openOrSay(call, path, given.values.get('-f'), 'write')
  if (image === undefined) return 1
  const backing = given.values.get('-b') ?? ''
  const backingFormat = given.values.get('-F')
  const progress = given.flags.has('-p')
  if (progress) call.out('    (0.00/100%)\r')
  if (!unsafe) {
    const exit = await copyBacking(call, image, backing, backingFormat, progress)
    if (exit !== 0) return exit
  }
  if (image.header.format !== 'qcow2') {
    call.err(`qemu-img: Could not change the backing file to '${backing}': Operation not supported\n`)
    return 1
  }
  const { backing: _old, backingFormat: _format, ...header } = image.header
  image.node.image = backing === '' ? header : { ...header, backing, ...(backingFormat ? { backingFormat } : {}) }
  call.world.save()
  if (progress) call.out('    (100.00/100%)\r\n')
  return 0
}

async function copyBacking(
  call: Call,
  image: Image,
  backing: string,
  backingFormat: string | undefined,
  progress: boolean,
): Promise<number> {
  const { below, problem } = imagesBelow(call.pm, image)
  if (problem !== undefined) {
    call.err(`qemu-img: Could not open '${image.path}': Could not open backing file: ${problem}\n`)
    return 1
  }
  if (backing !== '' && !canOpenBacking(call, image, backing, backingFormat)) return 1
  const end = below.findIndex((one) => one.path === backing)
  const between = end < 0 ? below : below.slice(0, end)
  const data = between.reduce((sum, one) => sum + Math.max(0, one.node.allocated - METADATA), 0)
  const had = image.node.allocated
  const most = Math.min(had + data, image.header.virtualSize + METADATA)
  for (let turn = 1; turn <= TURNS; turn++) {
    await call.pass(((data / 1073741824) * MS_PER_GIB) / TURNS)
    if (!grow(call, image, had + ((most - had) * turn) / TURNS)) {
      call.err('qemu-img: Error while writing to COW image: No space left on device\n')
      return 1
    }
    if (progress) call.out(`    (${((turn * 100) / TURNS).toFixed(2)}/100%)\r`)
  }
  return 0
}

/** A new backing that lies on the image itself meets the lock that this very qemu-img has on it. */
function canOpenBacking(call: Call, image: Image, backing: string, format: string | undefined): boolean {
  const words = `Could not open new backing file '${backing}': `
  const node = findNode(call.pm, backing)
  if (node === undefined) {
    call.err(`qemu-img: ${words}Could not open '${backing}': No such file or directory\n`)
    return false
  }
  const opened = openOrSay(call, backing, format)
  if (opened === undefined) return false
  if (!imagesBelow(call.pm, opened).below.some((one) => one.path === image.path)) return true
  call.err(
    `qemu-img: ${words}Could not open backing file: Failed to get shared "write" lock\nIs another process using the image [${image.path}]?\n`,
  )
  return false
}

/** As far as there is space. */
function grow(call: Call, { path, node }: Image, bytes: number): boolean {
  const wanted = allocatedFor(bytes)
  if (node.kind === 'block') {
    node.allocated = Math.min(node.size, wanted)
    return wanted <= node.size
  }
  const free = freeBytes(mountOf(call.pm, path))
  const fits = wanted - node.allocated <= free
  if (fits) setAllocated(call.pm, path, node, wanted)
  else {
    charge(call.pm, path, free)
    node.allocated += free
  }
  node.size = Math.max(node.size, node.allocated)
  call.world.save()
  return fits
}

/** Images are headers here: two differ where they are small files of text that do. */
export async function compare(call: Call, given: Options): Promise<number> {
  const [one = '', other = ''] = given.words
  const lock = readLock(given)
  const first = openOrSay(call, one, given.values.get('-f'), lock)
  if (first === undefined) return 2
  const second = openOrSay(call, other, given.values.get('-F'), lock)
  if (second === undefined) return 2
  const quiet = given.flags.has('-q')
  const say = (text: string) => (quiet ? undefined : call.out(text))
  const progress = given.flags.has('-p') && !quiet
  if (progress) say('    (0.00/100%)\r')
  if (first.header.virtualSize !== second.header.virtualSize) say('Warning: Image size mismatch!\n')
  if (first.node.text !== undefined && second.node.text !== undefined && first.node.text !== second.node.text) {
    say(`Content mismatch at offset 0!\n${progress ? '\n' : ''}`)
    return 1
  }
  await call.pass((first.node.allocated / 1073741824) * MS_PER_GIB)
  if (progress) say('    (100.00/100%)\r')
  say(`Images are identical.\n${progress ? '\n' : ''}`)
  return 0
}
