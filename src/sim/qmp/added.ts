/** Nodes that are added to a simulated QEMU by hand: volumes for jobs to write to. */
import { findNode } from '../machine/files.ts'
import { keptOf, liveFormat } from '../machine/openImages.ts'
import { imagesBelow, openImage } from '../programs/qemuImg/images.ts'
import { findBlock, noNode, openBlocks, type QmpAnswer, type QmpCall, type QmpCommand, qmpError } from './blocks.ts'
import { busyWith, jobOn } from './busy.ts'
import { imageNamed } from './layers.ts'
import { innerName, ownName } from './nodes.ts'

const blockdevAdd: QmpCommand = ({ pm, domain, args, world }) => {
  const name = String(args['node-name'] ?? '')
  const file = args.file as { filename?: string; 'node-name'?: string } | undefined
  if (domain.addedNodes?.some((node) => node.name === name)) return qmpError(`Duplicate nodes with node-name='${name}'`)
  const path = file?.filename ?? ''
  const node = findNode(pm, path)
  if (node?.kind !== 'file' && node?.kind !== 'block')
    return qmpError(`Could not open '${path}': No such file or directory`)
  const backing = typeof args.backing === 'string' ? { backing: args.backing } : {}
  const fileName = file?.['node-name'] === undefined ? {} : { fileName: file['node-name'] }
  domain.addedNodes = [
    ...(domain.addedNodes ?? []),
    { name, path, format: String(args.driver), ...fileName, ...backing },
  ]
  world.save()
  return { return: {} }
}

/** With the options that a node has already it writes down what it knows of it: here there is nothing to be written. */
const blockdevReopen: QmpCommand = ({ domain, args }) => {
  for (const options of args.options as readonly { readonly [option: string]: unknown }[]) {
    const name = options['node-name']
    const node = domain.addedNodes?.find((one) => one.name === name)
    if (node === undefined) return qmpError(`Failed to find node with node-name='${String(name)}'`)
    if (options.driver !== node.format) return qmpError("Cannot change the option 'driver'")
    if (options.file !== node.fileName) return qmpError(noNode(options.file))
  }
  return { return: {} }
}

const blockdevDel: QmpCommand = (call) => {
  const { domain, args, world } = call
  const name = String(args['node-name'] ?? '')
  if (jobOn(call, name)?.type === 'mirror') return qmpError(`Node ${name} is in use`)
  const busy = busyWith(call, name)
  if (busy !== undefined) return qmpError(busy)
  if (!domain.addedNodes?.some((node) => node.name === name)) return closeOwn(call, name)
  const isShown = domain.nbd?.exports.some((one) => one.node === name)
  if (isShown || findBlock(call, name) !== undefined) return qmpError(`Node ${name} is in use`)
  domain.addedNodes = domain.addedNodes.filter((node) => node.name !== name)
  world.save()
  return { return: {} }
}

/** Of the nodes that nobody has added by hand only a device's own can be closed, once no disk reads it. */
function closeOwn(call: QmpCall, name: string): QmpAnswer {
  const { domain, pm, world } = call
  const disk = domain.config.disks.find((one) => ownName(one) === name)
  if (disk && keptOf(pm, disk) !== undefined) {
    disk.ownClosed = true
    world.save()
    return { return: {} }
  }
  if (findBlock(call, name) !== undefined) return qmpError(`Node ${name} is in use`)
  if (imageNamed(call, name) === undefined) return qmpError(`Failed to find node with node-name='${name}'`)
  return qmpError(`Node '${name}' is busy: node is used as backing hd of '${overlayOf(call, name)}'`)
}

/** The node that lies on one within a chain. */
function overlayOf(call: QmpCall, name: string): string | undefined {
  for (const { disk, nodeName, path } of openBlocks(call)) {
    const top = openImage(call.pm, path, liveFormat(disk))
    if (typeof top === 'string') continue
    const names = [nodeName, ...imagesBelow(call.pm, top).below.map((image) => innerName(disk, image.path))]
    const at = names.indexOf(name)
    if (at > 0) return names[at - 1]
  }
  return undefined
}

export const QMP_ADDED: Record<string, QmpCommand> = {
  'blockdev-add': blockdevAdd,
  'blockdev-reopen': blockdevReopen,
  'blockdev-del': blockdevDel,
}
