/**
 * What a simulated QEMU does for backups: bitmaps that note what is written, and volumes that it shows on a socket
 * (NBD). The site has no bytes, so a bitmap only is there or is not, and what is shown is as large as the disk behind it.
 */
import { openForWrite, unlink } from '../machine/files.ts'
import { findBlock, noDevice, noNode, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'

type Check = { readonly apply: () => void } | { readonly error: string }

interface Bitmap {
  readonly node: string
  readonly name: string
}

const hasNode = (call: QmpCall, node: string) =>
  findBlock(call, node) !== undefined || call.domain.addedNodes?.some((one) => one.name === node) === true

/** `before`: those that the same transaction adds before it. */
export function addBitmap(call: QmpCall, { node, name }: Bitmap, before: readonly Bitmap[]): Check {
  const { domain } = call
  if (!hasNode(call, node)) return { error: noDevice(node) }
  const bitmaps = [...(domain.bitmaps ?? []), ...before]
  if (bitmaps.some((one) => one.node === node && one.name === name)) return { error: `Bitmap already exists: ${name}` }
  return {
    apply: () => {
      domain.bitmaps = [...(domain.bitmaps ?? []), { node, name }]
    },
  }
}

/** What is wrong with the bitmap that a copy shall go by, where it goes by one. */
export function lacksBitmap({ domain }: QmpCall, data: Record<string, unknown>): string | undefined {
  if (data.sync !== 'bitmap') return undefined
  const there = domain.bitmaps?.some((one) => one.node === data.device && one.name === data.bitmap)
  return there ? undefined : `Bitmap '${String(data.bitmap)}' could not be found`
}

const removeBitmap: QmpCommand = (call) => {
  const { domain, args, world } = call
  if (!hasNode(call, String(args.node))) return qmpError(`Node '${String(args.node)}' not found`)
  const there = domain.bitmaps?.find((one) => one.node === args.node && one.name === args.name)
  if (there === undefined) return qmpError(`Dirty bitmap '${String(args.name)}' not found`)
  domain.bitmaps = domain.bitmaps?.filter((one) => one !== there)
  world.save()
  return { return: {} }
}

/** Of one node, as `query-named-block-nodes` tells them. */
export function bitmapsOn({ domain }: QmpCall, node: string): Record<string, unknown> {
  const own = (domain.bitmaps ?? []).filter((one) => one.node === node)
  if (own.length === 0) return {}
  const state = { recording: true, persistent: false, busy: false, granularity: 65536, count: 0 }
  return { 'dirty-bitmaps': own.map(({ name }) => ({ ...state, name })) }
}

const serverStart: QmpCommand = ({ pm, domain, args, world }) => {
  if (domain.nbd) return qmpError('NBD server already running')
  const path = (args.addr as { data?: { path?: string } } | undefined)?.data?.path ?? ''
  openForWrite(pm, path, world.clock.now())
  domain.nbd = { socket: path, exports: [] }
  world.save()
  return { return: {} }
}

const serverStop: QmpCommand = ({ pm, domain, world }) => {
  if (!domain.nbd) return qmpError('NBD server not running')
  unlink(pm, domain.nbd.socket)
  domain.nbd = undefined
  world.save()
  return { return: {} }
}

const exportAdd: QmpCommand = (call) => {
  const { domain, args, world } = call
  if (!domain.nbd) return qmpError('NBD server not running')
  const [id, node, name] = [String(args.id), String(args['node-name']), String(args.name ?? args['node-name'])]
  if (domain.nbd.exports.some((one) => one.id === id)) return qmpError(`Block export id '${id}' is already in use`)
  if (!hasNode(call, node)) return qmpError(noNode(node))
  if (domain.nbd.exports.some((one) => one.name === name))
    return qmpError(`NBD server already has export named '${name}'`)
  domain.nbd.exports.push({ id, node, name })
  world.save()
  return { return: {} }
}

const exportDel: QmpCommand = ({ domain, args, world }) => {
  const there = domain.nbd?.exports.find((one) => one.id === args.id)
  if (!domain.nbd || there === undefined) return qmpError(`Export '${String(args.id)}' is not found`)
  domain.nbd.exports = domain.nbd.exports.filter((one) => one !== there)
  world.save()
  return { return: {} }
}

export const QMP_MOMENTS: Record<string, QmpCommand> = {
  'block-dirty-bitmap-remove': removeBitmap,
  'nbd-server-start': serverStart,
  'nbd-server-stop': serverStop,
  'block-export-add': exportAdd,
  'block-export-del': exportDel,
  'query-block-exports': ({ domain }) => ({
    return: (domain.nbd?.exports ?? []).map(({ id, node }) => ({
      'node-name': node,
      'shutting-down': false,
      type: 'nbd',
      id,
    })),
  }),
}
