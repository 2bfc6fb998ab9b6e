/** `qemu-img` on images that are headers only: sizes, formats, chains and refusals, no bytes. */
import {
  allocatedFor,
  charge,
  findNode,
  freeBytes,
  isFsError,
  mountOf,
  openForWrite,
  setAllocated,
  splitPath,
} from '../files.ts'
import type { Call, Program } from '../program.ts'
import type { BlockNode, FileNode, ImageHeader, PmState } from '../state.ts'
import { bytesOf } from './writeFiles.ts'

/** What a fresh image takes: qcow2's first clusters. */
const METADATA = 200_704
/** How fast a conversion goes, at pace 1. */
const MS_PER_GIB = 150

export interface Options {
  flags: Set<string>
  values: Map<string, string>
  words: string[]
}

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

const COMMANDS: Record<string, (call: Call, given: Options) => number | Promise<number>> = {
  create,
  info,
  convert,
  check,
  resize,
  rebase,
  compare,
  measure,
}

export const qemuImg: Program = (call) => {
  const name = call.argv[1] ?? ''
  if (name === '--version') {
    call.out('qemu-img version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\n')
    return 0
  }
  const command = COMMANDS[name]
  if (command === undefined) {
    call.err(`qemu-img: Command not found: ${name}\nTry 'qemu-img --help' for more information\n`)
    return 1
  }
  return command(call, options(call.argv))
}

export interface Image {
  path: string
  node: FileNode | BlockNode
  header: ImageHeader
}

/** Opens an image as qemu-img would: with a format it must be of that format; without one the header tells. */
export function openImage(pm: PmState, path: string, format?: string): Image | string {
  const clean = path.replace(/^json:.*"filename":\s*"([^"]+)".*$/, '$1')
  const node = findNode(pm, clean)
  if (node === undefined) return `Could not open '${path}': No such file or directory`
  if (node.kind === 'dir') return `'file' driver requires '${path}' to be a regular file`
  if (node.kind === 'link') return `Could not open '${path}': No such file or directory`
  const found: ImageHeader = node.image ?? { format: 'raw', virtualSize: Math.ceil(node.size / 512) * 512 }
  if (format !== undefined && format !== 'raw' && format !== found.format) return `Image is not in ${format} format`
  const header = format === 'raw' && found.format !== 'raw' ? { format: 'raw', virtualSize: node.size } : found
  return { path: clean, node, header }
}

function openOrSay(call: Call, path: string, format?: string, shared = true): Image | undefined {
  const image = openImage(call.pm, path, format)
  if (typeof image === 'string') {
    const text = image.startsWith('Image is not')
      ? `Could not open '${path}': ${image}`
      : `Could not open '${path}': ${image}`
    call.err(`qemu-img: ${text}\n`)
    return undefined
  }
  if (!shared && writerOf(call.pm, image.path)) {
    call.err(
      `qemu-img: Could not open '${path}': Failed to get shared "write" lock\nIs another process using the image [${path}]?\n`,
    )
    return undefined
  }
  return image
}

/** A running guest's QEMU has it open for writing. */
export function writerOf(pm: PmState, path: string): boolean {
  return pm.domains.some(
    (domain) =>
      domain.phase !== 'building' &&
      domain.config.disks.some((disk) => !disk.readOnly && (disk.livePath ?? disk.path) === path),
  )
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

/** Puts an image at a path; gives the kernel's words where there is no place for it. */
export function writeImage(call: Call, path: string, header: ImageHeader, allocated: number): string | undefined {
  try {
    const node = openForWrite(call.pm, path, call.now())
    if (node.kind === 'block') {
      if (header.format === 'raw' && header.virtualSize > node.size) return 'No space left on device'
      node.allocated = Math.min(node.size, allocatedFor(allocated))
    } else {
      const wanted = allocatedFor(allocated)
      if (wanted > freeBytes(mountOf(call.pm, path))) {
        setAllocated(call.pm, path, node, freeBytes(mountOf(call.pm, path)))
        Object.assign(node, { image: header, text: undefined, size: node.allocated })
        return 'No space left on device'
      }
      charge(call.pm, path, wanted)
      node.allocated = wanted
      node.size = header.format === 'raw' ? header.virtualSize : wanted
    }
    node.image = header
    node.text = undefined
    node.mtimeMs = call.now()
    return undefined
  } catch (error) {
    if (!isFsError(error)) throw error
    return error.message
  }
}

function info(call: Call, given: Options): number {
  const path = given.words[0] ?? ''
  const shared = given.flags.has('-U') || given.flags.has('--force-share')
  const first = openOrSay(call, path, given.values.get('-f'), shared)
  if (first === undefined) return 1
  const chain: Record<string, unknown>[] = []
  let at: Image | undefined = first
  let name = path
  while (at !== undefined) {
    chain.push(infoOf(call, at, name))
    const backing: string | undefined = at.header.backing
    if (backing === undefined || !given.flags.has('--backing-chain')) break
    name = backing.startsWith('/') ? backing : `/${splitPath(at.path).slice(0, -1).join('/')}/${backing}`
    at = openOrSay(call, name, at.header.backingFormat, shared)
    if (at === undefined) return 1
  }
  if (given.values.get('--output') === 'json') {
    call.out(`${JSON.stringify(given.flags.has('--backing-chain') ? chain : chain[0], null, 4)}\n`)
  } else call.out(chain.map(infoText).join('\n'))
  return 0
}

function infoOf(call: Call, image: Image, name: string): Record<string, unknown> {
  const { header, node } = image
  const below = header.backing
  const dir = `/${splitPath(image.path).slice(0, -1).join('/')}`
  return {
    ...(header.backingFormat ? { 'backing-filename-format': header.backingFormat } : {}),
    'virtual-size': header.virtualSize,
    filename: name,
    ...(header.format === 'qcow2'
      ? { 'cluster-size': 65536 }
      : header.format === 'vpc'
        ? { 'cluster-size': 2097152 }
        : {}),
    format: header.format,
    'actual-size': node.kind === 'block' ? 0 : node.allocated,
    ...(header.format === 'qcow2'
      ? {
          'format-specific': {
            type: 'qcow2',
            data: {
              compat: '1.1',
              'compression-type': 'zlib',
              'lazy-refcounts': false,
              'refcount-bits': 16,
              corrupt: false,
              'extended-l2': false,
            },
          },
        }
      : {}),
    ...(below === undefined
      ? {}
      : { 'full-backing-filename': below.startsWith('/') ? below : `${dir}/${below}`, 'backing-filename': below }),
    'dirty-flag': writerOf(call.pm, image.path) && false,
  }
}

function infoText(info: Record<string, unknown>): string {
  const size = Number(info['virtual-size'])
  const lines = [
    `image: ${info.filename}`,
    `file format: ${info.format}`,
    `virtual size: ${human(size)} (${size} bytes)`,
    `disk size: ${human(Number(info['actual-size']))}`,
  ]
  if (info['cluster-size']) lines.push(`cluster_size: ${info['cluster-size']}`)
  if (info['backing-filename']) lines.push(`backing file: ${info['backing-filename']}`)
  if (info['backing-filename-format']) lines.push(`backing file format: ${info['backing-filename-format']}`)
  if (info['format-specific']) {
    lines.push('Format specific information:', '    compat: 1.1', '    compression type: zlib')
    lines.push('    lazy refcounts: false', '    refcount bits: 16', '    corrupt: false', '    extended l2: false')
  }
  return `${lines.join('\n')}\n`
}

function human(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < 5) {
    value /= 1024
    unit++
  }
  return `${Number(value.toPrecision(3))} ${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]}`
}

async function convert(call: Call, given: Options): Promise<number> {
  const [from = '', to = ''] = given.words
  const source = openOrSay(
    call,
    from,
    given.values.get('-f'),
    given.flags.has('-U') || given.flags.has('--force-share'),
  )
  if (source === undefined) return 1
  const format = given.values.get('-O') ?? 'raw'
  const compressed = given.flags.has('-c')
  const chain = chainAllocated(call.pm, source)
  const bytes = Math.min(source.header.virtualSize, compressed ? Math.ceil(chain / 2) : chain)
  const progress = given.flags.has('-p')
  const target = findNode(call.pm, to)
  if (given.flags.has('-n') && target === undefined) {
    call.err(`qemu-img: Could not open '${to}': Could not open '${to}': No such file or directory\n`)
    return 1
  }
  const begun = writeImage(call, to, { format, virtualSize: source.header.virtualSize }, 0)
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
  const problem = writeImage(
    call,
    to,
    { format, virtualSize: source.header.virtualSize },
    bytes + (format === 'raw' ? 0 : METADATA),
  )
  call.world.save()
  if (problem !== undefined) {
    call.err(`qemu-img: error while writing at byte ${bytes - (bytes % 65536)}: ${problem}\n`)
    return 1
  }
  if (progress) call.out('    (100.00/100%)\r\n')
  return 0
}

/** What the images of a chain hold together. */
function chainAllocated(pm: PmState, image: Image): number {
  let sum = image.node.allocated
  let at = image
  for (let depth = 0; at.header.backing !== undefined && depth < 100; depth++) {
    const { backing } = at.header
    const path = backing.startsWith('/') ? backing : `/${splitPath(at.path).slice(0, -1).join('/')}/${backing}`
    const below = openImage(pm, path, at.header.backingFormat)
    if (typeof below === 'string') break
    sum += below.node.allocated
    at = below
  }
  return sum
}

function check(call: Call, given: Options): number {
  const path = given.words[0] ?? ''
  const image = openOrSay(call, path, given.values.get('-f'), given.flags.has('-U'))
  if (image === undefined) return 1
  if (image.header.format === 'raw') {
    call.err('qemu-img: This image format does not support checks\n')
    return 63
  }
  const end = image.node.allocated
  if (given.values.get('--output') === 'json') {
    const value = {
      'image-end-offset': end,
      'total-clusters': Math.ceil(image.header.virtualSize / 65536),
      'check-errors': 0,
      filename: path,
      format: image.header.format,
    }
    call.out(`${JSON.stringify(value, null, 4)}\n`)
  } else call.out(`No errors were found on the image.\nImage end offset: ${end}\n`)
  return 0
}

function resize(call: Call, given: Options): number {
  const [path = '', text = ''] = given.words
  const image = openOrSay(call, path, given.values.get('-f'))
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

function rebase(call: Call, given: Options): number {
  const image = openOrSay(call, given.words[0] ?? '', given.values.get('-f'))
  if (image === undefined) return 1
  const backing = given.values.get('-b') ?? ''
  const backingFormat = given.values.get('-F')
  if (backing !== '' && !given.flags.has('-u') && openOrSay(call, backing, backingFormat) === undefined) return 1
  const { backing: _old, backingFormat: _format, ...header } = image.header
  image.node.image = backing === '' ? header : { ...header, backing, ...(backingFormat ? { backingFormat } : {}) }
  call.world.save()
  return 0
}

function compare(call: Call, given: Options): number {
  const images = given.words.slice(0, 2).map((path) => openOrSay(call, path, given.values.get('-f'), true))
  const [first, second] = images
  if (!first || !second) return 2
  if (first.header.virtualSize !== second.header.virtualSize) call.out('Warning: Image size mismatch!\n')
  call.out('Images are identical.\n')
  return 0
}

function measure(call: Call, given: Options): number {
  const path = given.words[0]
  const image = path === undefined ? undefined : openOrSay(call, path, given.values.get('-f'), true)
  if (path !== undefined && image === undefined) return 1
  const size = image?.header.virtualSize ?? bytesOf(given.values.get('--size') ?? '') ?? 0
  const raw = (given.values.get('-O') ?? 'raw') === 'raw'
  const required = raw ? size : (image ? chainAllocated(call.pm, image) : 0) + 327_680
  const full = raw ? size : Math.ceil(size * 1.0003) + 327_680
  if (given.values.get('--output') === 'json')
    call.out(`${JSON.stringify({ bitmaps: 0, required, 'fully-allocated': full }, null, 4)}\n`)
  else call.out(`required size: ${required}\nfully allocated size: ${full}\n`)
  return 0
}
