import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { run, runAll } from '../host/run.ts'
import { changes } from '../tools/program.ts'
import { firstLacking, imageChain, isLackingNothing, parseImageChain } from '../tools/qemuImg.ts'
import { parseBlocks, parseVersion, type Qmp } from '../tools/qmp.ts'
import { type BlockJobOptions, cancelJobs, finishJobs, followJobs, holdJobs } from './blockJobs.ts'
import { listNodes, withMonitor } from './monitor.ts'

/** Merging layers under a running guest: QEMU copies what they hold into the image on them. */
export interface LayerStream {
  /** The image that the bytes come into; QEMU has it open, at the top of a disk's chain or within. */
  readonly path: string
  /** What it shall lie on, an image further down its chain; absent: on none. */
  readonly base?: string
}

/**
 * Copies into `path` what it reads from the images between it and `base`, and writes `base` (or none) into its header
 * when all is there (QMP `block-stream`). Returns then; those between are not changed, nor in use any more. The header
 * changes when what was copied lies on the disk, tables and all, for whoever reads it: left to itself QEMU (as of 7.2)
 * keeps the tables to itself until the guest flushes, and with its end, or the machine's, the copy was lost. Cut short
 * or aborted it reads as before, and doing it again finishes it; an abort leaves the job at work (`cancelJobs`). Where the
 * header itself cannot be written it fails, and QEMU takes it for done all the same: asked again it finds nothing to do and
 * the header still names what it did, until another QEMU is asked. So what is given up then is what the header says.
 * `refused` where QEMU does not have `path` or `base` open, `unsupported` without a QEMU, `noSpace`, `commandFailed`.
 */
export async function streamLayer(
  host: Host,
  domid: number,
  { path, base }: LayerStream,
  options: BlockJobOptions,
): Promise<void> {
  await cancelJobs(host, domid, options)
  const doing = `cannot merge what ${path} lies on, on ${host.name}, into it`
  const begun = await withMonitor(
    host,
    domid,
    'libxenstat',
    'change',
    async (qmp) => {
      const nodes = await chainNodes(qmp)
      const top = nodes.find((node) => node.file === path)
      const below = nodes.find((node) => node.file === base)
      if (!top) throw new PengxError('refused', `${doing}: the QEMU of domain ${domid} does not have it open`)
      if (base !== undefined && !below) throw new PengxError('refused', `${doing}: it does not lie on ${base}`)
      const bottom = below === undefined ? {} : { 'base-node': below.name }
      await qmp.execute('block-stream', {
        'job-id': `${options.name}-0`,
        device: top.name,
        ...bottom,
        'auto-finalize': false,
        'auto-dismiss': false,
      })
      return top.name
    },
    options.signal,
  )
  if (begun === undefined) throw new PengxError('unsupported', `${doing}: domain ${domid} has no QEMU`)
  if (await holdJobs(host, domid, 1, options, doing)) {
    await withMonitor(host, domid, 'libxenstat', 'change', (qmp) => flush(qmp, begun))
    await needWritten(host, { path, base }, doing, options.signal)
    await finishJobs(host, domid, options)
  }
  await followJobs(host, domid, 1, options, doing)
}

/**
 * QEMU closes those images, from which no disk reads any more (QMP `blockdev-del`); one that it does not have open is done.
 * A stream takes an image out of a disk's chain, and of the one that the disk was built with the device keeps the node: QEMU
 * would have it open to its end, so that the room of a file is not free and a logical volume cannot be removed.
 * `commandFailed` where something still reads one. When the device goes QEMU (7.2) says in its log that the node is not
 * there, and goes on.
 */
export async function closeImages(host: Host, domid: number, paths: readonly string[]): Promise<void> {
  await withMonitor(host, domid, 'libxenstat', 'change', async (qmp) => {
    const open = async () => (await chainNodes(qmp)).filter(({ file }) => paths.includes(file))
    for (let nodes = await open(); nodes.length > 0; ) {
      let failure: unknown
      // What lies below one goes with it, and cannot be told to go by itself.
      for (const { name } of nodes)
        await qmp.execute('blockdev-del', { 'node-name': name }).catch((error: unknown) => {
          failure = error
        })
      const left = await open()
      if (left.length === nodes.length) throw failure
      nodes = left
    }
  })
}

/** The image nodes, each of which stands on a node for the file that it lies in. */
async function chainNodes(qmp: Qmp): Promise<{ readonly name: string; readonly file: string }[]> {
  const nodes = (await listNodes(qmp, 'change')) as readonly {
    readonly 'node-name'?: string
    readonly drv?: string
    readonly file?: string
  }[]
  const images = nodes.filter(({ drv }) => drv === 'qcow2' || drv === 'raw' || drv === 'vpc')
  return images.map((node) => ({ name: node['node-name'] ?? '', file: node.file ?? '' }))
}

/** From this one on QEMU's monitor can be asked for a node behind an I/O thread: before, it ended over that. */
const NODES_SINCE = 6.01

/**
 * QEMU writes down what it knows of an image (HMP `qemu-io`, which QMP has nothing for). It does not tell whether that
 * went well: `needWritten` looks.
 */
async function flush(qmp: Qmp, node: string): Promise<void> {
  const blocks = parseBlocks(await qmp.execute('query-block'))
  const device = blocks.find((block) => block.node === node && block.qdev !== '')
  const isAsked = device !== undefined || parseVersion(await qmp.execute('query-version')) >= NODES_SINCE
  if (!isAsked) return
  const whom = device ? `-d ${device.qdev}` : node
  await qmp.execute('human-monitor-command', { 'command-line': `qemu-io ${whom} flush` })
}

/** Throws where an image, as it lies on its disk, does not hold by itself all that it reads from those above `base`. */
async function needWritten(
  host: Host,
  { path, base }: LayerStream,
  doing: string,
  signal?: AbortSignal,
): Promise<void> {
  const [, listed] = await runAll(host, batch([changes('sync', path), imageChain(path, 'qcow2')]))
  const chain = parseImageChain(listed!.stdout)
  const at = chain.findIndex(({ backingPath }) => backingPath === base)
  // It lies there already.
  if (at === 0) return
  const output = await run(host, firstLacking(path, at < 0 ? chain.length - 1 : at, base === undefined), signal)
  if (isLackingNothing(output.stdout)) return
  throw new PengxError(
    'commandFailed',
    `${doing}: its QEMU has not written down all that it has copied; with the guest shut down no QEMU is asked`,
    { cause: output },
  )
}
