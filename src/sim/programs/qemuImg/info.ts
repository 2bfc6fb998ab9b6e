/** What `qemu-img` tells of images: info, check, compare, measure. */
import { splitPath } from '../../machine/files.ts'
import type { Call } from '../../machine/program.ts'
import { readPath } from '../files/read.ts'
import { bytesOf } from '../files/words.ts'
import { chainAllocated, type Image, isEmpty, type Options, openOrSay, readLock } from './images.ts'

export function info(call: Call, given: Options): number {
  const path = given.words[0] ?? ''
  const lock = readLock(given)
  const first = openOrSay(call, path, given.values.get('-f'), lock)
  if (first === undefined) return 1
  const chain: Record<string, unknown>[] = []
  const names = new Set<string>()
  let at: Image | undefined = first
  let name = path
  while (at !== undefined) {
    if (names.has(name)) {
      call.err(`qemu-img: Backing file '${name}' creates an infinite loop.\n`)
      return 1
    }
    names.add(name)
    chain.push(infoOf(at, name))
    const backing: string | undefined = at.header.backing
    if (backing === undefined || !given.flags.has('--backing-chain')) break
    name = backing.startsWith('/') ? backing : `/${splitPath(at.path).slice(0, -1).join('/')}/${backing}`
    at = openOrSay(call, name, at.header.backingFormat, lock)
    if (at === undefined) return 1
  }
  if (given.values.get('--output') === 'json') {
    call.out(`${JSON.stringify(given.flags.has('--backing-chain') ? chain : chain[0], null, 4)}\n`)
  } else call.out(chain.map(infoText).join('\n'))
  return 0
}

function infoOf(image: Image, name: string): Record<string, unknown> {
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
              corrupt: header.corrupt ?? false,
              'extended-l2': false,
            },
          },
        }
      : {}),
    ...(header.format === 'vmdk'
      ? {
          'format-specific': {
            type: 'vmdk',
            data: { 'create-type': 'monolithicSparse', extents: [{ filename: name }] },
          },
        }
      : {}),
    ...(below === undefined
      ? {}
      : { 'full-backing-filename': below.startsWith('/') ? below : `${dir}/${below}`, 'backing-filename': below }),
    'dirty-flag': false,
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

export function check(call: Call, given: Options): number {
  const path = given.words[0] ?? ''
  const image = openOrSay(call, path, given.values.get('-f'), readLock(given))
  if (image === undefined) return 1
  if (image.header.format === 'raw') {
    call.err('qemu-img: This image format does not support checks\n')
    return 63
  }
  const { node } = image
  const end = node.kind === 'file' ? Math.min(node.allocated, node.size) : node.allocated
  const { corruptions = 0 } = image.header
  if (given.values.get('--output') === 'json') {
    const value = {
      ...(image.header.format === 'qcow2'
        ? { 'image-end-offset': end, 'total-clusters': Math.ceil(image.header.virtualSize / 65536) }
        : {}),
      'check-errors': 0,
      filename: path,
      format: image.header.format,
      ...(corruptions > 0 ? { corruptions } : {}),
    }
    call.out(`${JSON.stringify(value, null, 4)}\n`)
  } else if (corruptions > 0) call.out(`\n${corruptions} errors were found on the image.\n`)
  else call.out(`No errors were found on the image.\nImage end offset: ${end}\n`)
  return corruptions > 0 ? 2 : 0
}

/** Of the file itself, whatever is in it: its header, and a hole; of an image, all of it. */
/** As QEMU prints a map: a line a stretch. */
function rows(stretches: readonly object[]): string {
  const lines = stretches.map((one) =>
    JSON.stringify(one).replace(/^\{/, '{ ').replace(/":/g, '": ').replace(/,"/g, ', "'),
  )
  return `[${lines.join(',\n')}]`
}

export function map(call: Call, given: Options): number {
  const path = given.words[0] ?? ''
  if (given.values.get('-f') === 'qcow2') return mapImage(call, given, path)
  const image = openOrSay(call, path, 'raw', readLock(given))
  if (image === undefined) return 1
  const { node } = image
  const read = readPath(call, image.path)
  // to the byte, where a real file system tells of whole blocks: no more of a file than its text can be read here
  const data = 'text' in read && (node.image || node.text) ? Math.min(read.text.length, node.size) : 0
  const stretch = (start: number, end: number, zero: boolean) =>
    start < end ? [{ start, length: end - start, depth: 0, present: true, zero, data: !zero, offset: start }] : []
  call.out(`${rows([...stretch(0, data, false), ...stretch(data, node.size, true)])}\n`)
  return 0
}

function mapImage(call: Call, given: Options, path: string): number {
  const image = openOrSay(call, path, 'qcow2', readLock(given))
  if (image === undefined) return 1
  const { virtualSize: length, backing } = image.header
  const whole = isEmpty(image)
    ? { start: 0, length, depth: backing === undefined ? 0 : 1, present: false, zero: true, data: false }
    : { start: 0, length, depth: 0, present: true, zero: false, data: true, offset: 327_680 }
  call.out(`${rows([whole])}\n`)
  return 0
}

export function measure(call: Call, given: Options): number {
  const path = given.words[0]
  const image = path === undefined ? undefined : openOrSay(call, path, given.values.get('-f'))
  if (path !== undefined && image === undefined) return 1
  const size = image?.header.virtualSize ?? bytesOf(given.values.get('--size') ?? '') ?? 0
  const raw = (given.values.get('-O') ?? 'raw') === 'raw'
  const required = raw ? size : (image ? chainAllocated(call.pm, image) : 0) + 327_680
  const full = raw ? size : Math.ceil(size * 1.0003) + 327_680
  if (given.values.get('--output') === 'json')
    call.out(
      `${JSON.stringify({ ...(image?.header.format === 'qcow2' ? { bitmaps: 0 } : {}), required, 'fully-allocated': full }, null, 4)}\n`,
    )
  else call.out(`required size: ${required}\nfully allocated size: ${full}\n`)
  return 0
}
