import { afterEach, beforeEach } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import { parseBlockJobs, type Qmp } from '../../src/engine/tools/qmp.ts'
import type { Json } from '../../src/model/json.ts'
import { until } from '../support/until.ts'

/**
 * A QEMU that is spoken to, whichever it is, and its disks: `xvda-qcow2` is image `a`, which lies on `middle` and that on
 * `base`; `xvdb-qcow2` is `b`. Each is 64 MiB large, base and b hold 8, middle 4. A guest may be writing to them.
 */
export interface BlockLayerSite {
  /** Where the images lie. */
  readonly host: Host
  place(image: string): string
  /** Each time a connection of its own, as the engine makes them. */
  ask<T>(work: (qmp: Qmp) => Promise<T>): Promise<T>
  /** What writes to this image from when it is opened next finds its place full. */
  fill(image: string): void
  /** Lets so much pass that something which is waited for may come about. */
  pause(): Promise<unknown>
  /** Sees that nothing was lost which a guest has written, and takes all away. */
  close(): Promise<void>
}

export interface BlockLayerOptions {
  /** Nobody writes, and nothing is shown to anybody. */
  readonly quiet?: true
  /** What writes to this disk's image finds its place full. */
  readonly full?: 'a'
}

export interface BlockLayerKind {
  readonly name: string
  open(options: BlockLayerOptions): Promise<BlockLayerSite>
}

export const A = 'xvda-qcow2'
export const B = 'xvdb-qcow2'
export const SIZE_BYTES = 64 * 1024 * 1024

type Args = { readonly [key: string]: Json | undefined }

/** What tests of one QEMU share: each begins with one of its own. */
export interface BlockLayerBench {
  readonly site: BlockLayerSite
  ask(command: string, args?: Args): Promise<Json>
  /** The class and the words with which it is refused; throws where it is done. */
  refusal(command: string, args?: Args): Promise<string>
  create(image: string, below?: string, sizeMib?: number): Promise<void>
  nodes(): Promise<readonly NodeRow[]>
  /** Of an image's node. */
  nodeOf(image: string): Promise<string>
  jobs(): ReturnType<typeof parseBlockJobs> extends infer T ? Promise<T> : never
  /** Waits until a job is in that state. */
  untilJob(id: string, status: string): Promise<void>
  /** The images of a disk's chain from its top down, as their headers tell. */
  chainOf(image: string): Promise<string[]>
  add(node: string, image: string): Promise<Json>
}

export interface NodeRow {
  readonly 'node-name': string
  readonly drv: string
  readonly file: string
  readonly ro: boolean
  readonly backing_file?: string
  readonly image: { readonly [key: string]: unknown }
  readonly 'dirty-bitmaps'?: readonly { readonly name?: string; readonly [key: string]: unknown }[]
}

export function benchOf({ open }: BlockLayerKind, options: BlockLayerOptions = {}): BlockLayerBench {
  let site: BlockLayerSite
  beforeEach(async () => {
    site = await open(options)
  })
  afterEach(() => site.close())
  const ask = (command: string, args?: Args) => site.ask((qmp) => qmp.execute(command, args))
  const nodes = async () =>
    (await ask('query-named-block-nodes', { flat: true })) as Json as unknown as readonly NodeRow[]
  const jobs = async () => parseBlockJobs(await ask('query-jobs'))
  return {
    get site() {
      return site
    },
    ask,
    async refusal(command, args) {
      const said: unknown = await ask(command, args).catch((error: Error) => error.cause)
      const { class: kind, desc } = (said ?? {}) as { readonly class?: string; readonly desc?: string }
      if (kind === undefined) throw new Error(`${command} is not refused, but gives ${JSON.stringify(said)}`)
      return `${kind}: ${desc}`
    },
    async create(image, below, sizeMib = 64) {
      const backing = below === undefined ? [] : ['-b', site.place(below), '-F', 'qcow2']
      const path = site.place(image)
      const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', ...backing, path, `${sizeMib}M`] as const
      await run(site.host, { argv: argv as unknown as [string, ...string[]], effect: 'change' })
    },
    nodes,
    async nodeOf(image) {
      const found = (await nodes()).find(({ drv, file }) => drv === 'qcow2' && file === site.place(image))
      if (!found) throw new Error(`${image} is not open`)
      return found['node-name']
    },
    jobs,
    async untilJob(id, status) {
      await until(async () => {
        if ((await jobs()).some((job) => job.id === id && job.status === status)) return true
        await site.pause()
        return false
      }, `${id} ${status}`)
    },
    async chainOf(image) {
      const path = site.place(image)
      const argv = ['qemu-img', 'info', '-U', '--output=json', '--backing-chain', '-f', 'qcow2', path] as const
      const { stdout } = await run(site.host, { argv, effect: 'read' })
      return (JSON.parse(stdout) as { filename: string }[]).map(({ filename }) => filename)
    },
    add: (node, image) =>
      ask('blockdev-add', {
        'node-name': node,
        driver: 'qcow2',
        file: { 'node-name': `f-${node}`, driver: 'file', filename: site.place(image) },
      }),
  }
}

/** As `blockdev-snapshot-sync` in a transaction. */
export const snapshotOf = (site: BlockLayerSite, node: string, overlay: string, name: string) => ({
  type: 'blockdev-snapshot-sync',
  data: {
    'node-name': node,
    'snapshot-file': site.place(overlay),
    'snapshot-node-name': name,
    format: 'qcow2',
    mode: 'existing',
  },
})

/** As `blockdev-backup` in a transaction, into a node that is called as the job. */
export const backupOf = (id: string, device: string, more: { readonly [key: string]: Json } = {}) => ({
  type: 'blockdev-backup',
  data: { 'job-id': id, device, target: id, sync: 'full', 'auto-dismiss': false, ...more },
})

export const bitmapOn = (node: string, name: string) => ({ type: 'block-dirty-bitmap-add', data: { node, name } })
