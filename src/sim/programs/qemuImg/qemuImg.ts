/** `qemu-img` on images that are headers only: sizes, formats, chains and refusals, no bytes. */
import { allocatedFor, findNode, setAllocated, splitPath } from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'
import type { ImageHeader } from '../../machine/state.ts'
import { bytesOf } from '../files/words.ts'
import {
  chainAllocated,
  isEmpty,
  METADATA,
  type Options,
  openImage,
  openOrSay,
  readLock,
  writeImage,
} from './images.ts'
import { check, info, map, measure } from './info.ts'
import { compare, rebase } from './layers.ts'

/** How fast a conversion goes, at pace 1. */
const MS_PER_GIB = 150

const WITH_VALUE = new Set([
  '-f',
  '-F',
  '-O',
  '-b',
  '-o',
  '-m',
  '-S',
  '-T',
  '-t',
  '-B',
  '--size',
  '--object',
  '-r',
  '-R',
])

function options(argv: readonly string[]): Options {
  const parsed: Options = { flags: new Set(), values: new Map(), words: [] }
  for (let at = 2; at < argv.length; at++) {
    const word = argv[at]!
    if (word.startsWith('--') && word.includes('='))
      parsed.values.set(word.split('=')[0]!, word.slice(word.indexOf('=') + 1))
    else if (WITH_VALUE.has(word)) parsed.values.set(word, argv[++at] ?? '')
    else if (word.startsWith('-') && word.length > 1) parsed.flags.add(word)
    else parsed.words.push(word)
  }
  return parsed
}

/**
 * By their names.
 *
 * @internal Exported for the test that asks of each whether it is compared with the real one.
 */
export const IMAGE_COMMANDS: Record<string, (call: Call, given: Options) => number | Promise<number>> = {
  create,
  info,
  convert,
  check,
  resize,
  rebase,
  compare,
  map,
  measure,
}

export const qemuImg: Program = (call) => {
  const name = call.argv[1] ?? ''
  if (name === '--version') {
    call.out('qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\n')
    return 0
  }
  const command = IMAGE_COMMANDS[name]
  if (command === undefined) {
    call.err(`qemu-img: Command not found: ${name}\nTry 'qemu-img --help' for more information\n`)
    return 1
  }
  return command(call, options(call.argv))
}

async function create(call: Call, given: Options): Promise<number> {
  const format = given.values.get('-f') ?? 'raw'
  const [path = '', sizeText] = given.words
  if (!['raw', 'qcow2', 'vpc', 'vhdx', 'qcow'].includes(format)) {
    call.err(`qemu-img: ${path}: Unknown file format '${format}'\n`)
    return 1
  }
  const backing = given.values.get('-b')
  const backingFormat = given.values.get('-F')
  const extra = given.values.get('-o') ?? ''
  let size = sizeText === undefined ? undefined : bytesOf(sizeText)
  if (backing !== undefined) {
    const from = backing.startsWith('/') ? backing : `/${splitPath(path).slice(0, -1).join('/')}/${backing}`
    const below = openImage(call.pm, from, backingFormat)
    if (typeof below === 'string') {
      call.err(`qemu-img: ${path}: ${below}\nCould not open backing image.\n`)
      return 1
    }
    size ??= below.header.virtualSize
  }
  if (size === undefined) {
    call.err(
      sizeText === undefined
        ? `qemu-img: ${path}: Image creation needs a size parameter\n`
        : `qemu-img: Invalid image size specified: '${sizeText}'\n`,
    )
    return 1
  }
  if (!given.flags.has('-q')) call.out(`Formatting '${path}', ${describe(format, size, backing, backingFormat)}\n`)
  const full = /preallocation=(full|falloc)/.test(extra)
  const header: ImageHeader = {
    format,
    virtualSize: Math.ceil(size / 512) * 512,
    ...(full ? {} : { madeEmpty: true as const }),
    ...(backing === undefined ? {} : { backing, ...(backingFormat === undefined ? {} : { backingFormat }) }),
  }
  const problem = writeImage(call, path, header, full ? size : format === 'raw' ? 0 : METADATA)
  call.world.save()
  if (problem === undefined) return 0
  call.err(`qemu-img: ${path}: Could not create '${path}': ${problem}\n`)
  return 1
}

function describe(format: string, size: number, backing?: string, backingFormat?: string): string {
  if (format !== 'qcow2') return `fmt=${format} size=${size}`
  const below =
    backing === undefined ? '' : ` backing_file=${backing}${backingFormat ? ` backing_fmt=${backingFormat}` : ''}`
  return `fmt=qcow2 cluster_size=65536 extended_l2=off compression_type=zlib size=${size}${below} lazy_refcounts=off refcount_bits=16`
}

async function convert(call: Call, given: Options): Promise<number> {
  const [from = '', to = ''] = given.words
  const source = openOrSay(call, from, given.values.get('-f'), readLock(given))
  if (source === undefined) return 1
  const format = given.values.get('-O') ?? 'raw'
  const compressed = given.flags.has('-c')
  const backing = given.values.get('-B')
  const backingFormat = /\bbacking_fmt=(\w+)/.exec(given.values.get('-o') ?? '')?.[1] ?? given.values.get('-F')
  const chain = backing === undefined ? chainAllocated(call.pm, source) : source.node.allocated
  const isNothing = backing !== undefined && isEmpty(source)
  const bytes = isNothing ? 0 : Math.min(source.header.virtualSize, compressed ? Math.ceil(chain / 2) : chain)
  const progress = given.flags.has('-p')
  const target = findNode(call.pm, to)
  if (given.flags.has('-n') && target === undefined) {
    call.err(`qemu-img: Could not open '${to}': Could not open '${to}': No such file or directory\n`)
    return 1
  }
  const header: ImageHeader = {
    format,
    virtualSize: source.header.virtualSize,
    ...(isNothing ? { madeEmpty: true as const } : {}),
    ...(backing === undefined ? {} : { backing, ...(backingFormat ? { backingFormat } : {}) }),
  }
  const begun = writeImage(call, to, header, 0)
  call.world.save()
  if (begun !== undefined) {
    call.err(`qemu-img: ${to}: error while converting ${format}: Could not create '${to}': ${begun}\n`)
    return 1
  }
  const turns = progress ? 20 : 1
  for (let turn = 0; turn < turns; turn++) {
    if (progress) call.out(`    (${((turn * 100) / turns).toFixed(2)}/100%)\r`)
    await call.pass(((bytes / 1073741824) * MS_PER_GIB) / turns)
  }
  const problem = writeImage(call, to, header, bytes + (format === 'raw' ? 0 : METADATA))
  call.world.save()
  if (problem !== undefined) {
    call.err(`qemu-img: error while writing at byte ${bytes - (bytes % 65536)}: ${problem}\n`)
    return 1
  }
  if (progress) call.out('    (100.00/100%)\r\n')
  return 0
}

function resize(call: Call, given: Options): number {
  const [path = '', text = ''] = given.words
  const image = openOrSay(call, path, given.values.get('-f'), 'write')
  if (image === undefined) return 1
  const size = bytesOf(text.replace(/^[+-]/, ''))
  if (size === undefined) {
    call.err(`qemu-img: Invalid image size specified: '${text}'\n`)
    return 1
  }
  const old = image.header.virtualSize
  const target = text.startsWith('+') ? old + size : text.startsWith('-') ? old - size : size
  if (target < old && !given.flags.has('--shrink')) {
    call.err('qemu-img: Use the --shrink option to perform a shrink operation.\n')
    call.err(
      "qemu-img: warning: Shrinking an image will delete all data beyond the shrunken image's end. Before performing such an operation, make sure there is no important data there.\n",
    )
    return 1
  }
  image.node.image = { ...image.header, virtualSize: target }
  if (image.header.format === 'raw' && image.node.kind === 'file') {
    image.node.size = target
    if (image.node.allocated > target) setAllocated(call.pm, image.path, image.node, allocatedFor(target))
  }
  image.node.text = undefined
  call.world.save()
  if (!given.flags.has('-q')) call.out('Image resized.\n')
  return 0
}
