import type { Duplex } from 'node:stream'
import { PengxError, toPengxError } from '../../model/error.ts'
import type { Json } from '../../model/json.ts'

/**
 * The QEMU Machine Protocol: one JSON object a line, a greeting first. A monitor serves one client at a time and lets
 * others wait in line, so a client that gets no greeting in time is told `busy`, and every client leaves quickly:
 * xl itself waits behind it.
 */
export interface Qmp {
  /** Fails with `commandFailed` naming QEMU's class and description, `busy` after the time allowed. */
  execute(command: string, args?: { readonly [key: string]: Json | undefined }): Promise<Json>
}

export interface QmpOptions {
  /** Who is spoken to, for messages: `qemu of domain 3 on xen1`. */
  readonly peer: string
  /** For the greeting and for each answer. */
  readonly timeoutMs: number
}

interface Message {
  readonly QMP?: unknown
  readonly return?: Json
  readonly error?: { readonly class: string; readonly desc: string }
  readonly id?: number
}

/** Speaks on a stream while `work` runs; the stream is closed whatever its end. */
export async function withQmp<T>(stream: Duplex, options: QmpOptions, work: (qmp: Qmp) => Promise<T>): Promise<T> {
  const talk = createTalk(stream, options)
  try {
    await talk.greeting
    await talk.qmp.execute('qmp_capabilities')
    return await work(talk.qmp)
  } finally {
    talk.close()
  }
}

/** Whether `execute` failed because that QEMU has no such command. */
export function isUnknownCommand(error: unknown): boolean {
  const { cause } = toPengxError(error) as { readonly cause?: unknown }
  return (cause as Message['error'] | undefined)?.class === 'CommandNotFound'
}

interface Waiting {
  resolve(value: Json): void
  reject(error: PengxError): void
}

function createTalk(stream: Duplex, { peer, timeoutMs }: QmpOptions) {
  const waiting = new Map<number, Waiting>()
  let nextId = 1
  let over: PengxError | undefined

  const fail = (error: PengxError) => {
    over ??= error
    for (const one of waiting.values()) one.reject(over)
    waiting.clear()
  }
  const wait = (id: number, what: string) =>
    new Promise<Json>((resolve, reject) => {
      if (over) return reject(over)
      const timer = setTimeout(() => {
        waiting.delete(id)
        reject(new PengxError('busy', `${peer} gave no ${what} for ${timeoutMs / 1000} s: another program may hold it`))
      }, timeoutMs)
      const settle = (act: () => void) => {
        clearTimeout(timer)
        act()
      }
      waiting.set(id, {
        resolve: (value) => settle(() => resolve(value)),
        reject: (error) => settle(() => reject(error)),
      })
    })
  const answer = (id: number, act: (one: Waiting) => void) => {
    const one = waiting.get(id)
    waiting.delete(id)
    if (one) act(one)
  }
  const receive = (message: Message) => {
    if (message.QMP !== undefined) answer(0, (one) => one.resolve(null))
    else if (message.error !== undefined) {
      const { class: kind, desc } = message.error
      const error = new PengxError('commandFailed', `${peer}: ${desc} (${kind})`, { cause: message.error })
      answer(message.id ?? -1, (one) => one.reject(error))
    }
    // An event has no id, and answers nobody.
    else answer(message.id ?? -1, (one) => one.resolve(message.return ?? null))
  }

  const parse = createFraming()
  stream.on('data', (chunk: Uint8Array) => {
    try {
      for (const message of parse(chunk)) receive(message as Message)
    } catch (error) {
      fail(new PengxError('commandFailed', `${peer} does not speak QMP`, { cause: error }))
    }
  })
  stream.on('error', (error) =>
    fail(new PengxError('unreachable', `${peer} broke off: ${error.message}`, { cause: error })),
  )
  stream.on('close', () => fail(new PengxError('unreachable', `${peer} closed its monitor`)))

  const qmp: Qmp = {
    async execute(command, args) {
      const id = nextId++
      const done = wait(id, `answer to ${command}`)
      if (!over) stream.write(`${JSON.stringify({ execute: command, id, ...(args ? { arguments: args } : {}) })}\n`)
      return await done
    },
  }
  const greeting = wait(0, 'greeting')
  return {
    qmp,
    greeting,
    close: () => {
      fail(new PengxError('cancelled', `the talk with ${peer} is over`))
      stream.destroy()
    },
  }
}

/** Bytes in, whole messages out, however they were cut. */
function createFraming(): (chunk: Uint8Array) => unknown[] {
  const decoder = new TextDecoder()
  let rest = ''
  return (chunk) => {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop()!
    return lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line))
  }
}

/** Bytes read and written since the domain was built, by the name that QEMU has for the disk. */
export interface BlockCounters {
  /** `xvda-qcow2`: `VDEV-DRIVER`, until a live snapshot gives the disk another node. */
  readonly node: string
  /** `ide0-hd0` for an emulated drive, empty for a PV disk. */
  readonly device: string
  /** The device in QEMU's tree, which stays. */
  readonly qdev: string
  readonly readBytes: number
  readonly writeBytes: number
}

/** The answer to `query-blockstats`. */
export function parseBlockCounters(answer: Json): BlockCounters[] {
  const rows = answer as readonly {
    readonly 'node-name'?: string
    readonly device?: string
    readonly qdev?: string
    readonly stats: { readonly rd_bytes: number; readonly wr_bytes: number }
  }[]
  return rows.map((row) => ({
    node: row['node-name'] ?? '',
    device: row.device ?? '',
    qdev: row.qdev ?? '',
    readBytes: row.stats.rd_bytes,
    writeBytes: row.stats.wr_bytes,
  }))
}

/** What the writes of a guest to all of its disks have taken since its QEMU began. */
export interface WriteTimes {
  readonly operations: number
  /** Nanoseconds, of all of them together. */
  readonly ns: number
}

/** The same answer: rows without a device are images that nobody writes to through one. */
export function parseWriteTimes(answer: Json): WriteTimes {
  const rows = answer as readonly {
    readonly device?: string
    readonly qdev?: string
    readonly stats: { readonly wr_operations: number; readonly wr_total_time_ns: number }
  }[]
  const written = rows.filter(({ device, qdev }) => (device ?? '') !== '' || (qdev ?? '') !== '')
  return {
    operations: written.reduce((sum, { stats }) => sum + stats.wr_operations, 0),
    ns: written.reduce((sum, { stats }) => sum + stats.wr_total_time_ns, 0),
  }
}

/** A disk as QEMU has it open. */
export interface OpenBlock {
  readonly node: string
  readonly device: string
  readonly qdev: string
  /** The image that is written to: the top of its chain. */
  readonly file: string
  readonly sizeBytes: number
}

/** The answer to `query-block`; drives without a medium are left out. */
export function parseBlocks(answer: Json): OpenBlock[] {
  const rows = answer as readonly {
    readonly device?: string
    readonly qdev?: string
    readonly inserted?: {
      readonly 'node-name'?: string
      readonly file?: string
      readonly image?: { readonly filename?: string; readonly 'virtual-size'?: number }
    }
  }[]
  return rows.flatMap(({ device, qdev, inserted }) => {
    if (inserted === undefined) return []
    const file = inserted.file ?? inserted.image?.filename ?? ''
    const sizeBytes = inserted.image?.['virtual-size'] ?? 0
    return [{ node: inserted['node-name'] ?? '', device: device ?? '', qdev: qdev ?? '', file, sizeBytes }]
  })
}

/** The files that any node has open, from the answer to `query-named-block-nodes`. */
export function parseOpenFiles(answer: Json): string[] {
  return (answer as readonly { readonly file?: string }[]).flatMap(({ file }) => file ?? [])
}

/** A job of QEMU's, running or waiting to be dismissed. */
export interface BlockJob {
  readonly id: string
  /** `stream`, `backup`, … */
  readonly type: string
  /** `running`, `waiting`, `concluded`, … */
  readonly status: string
  readonly current: number
  readonly total: number
  readonly error?: string
}

/** The answer to `query-jobs`. */
export function parseBlockJobs(answer: Json): BlockJob[] {
  const rows = answer as readonly {
    readonly id: string
    readonly type?: string
    readonly status: string
    readonly 'current-progress'?: number
    readonly 'total-progress'?: number
    readonly error?: string
  }[]
  return rows.map(({ id, type = '', status, error, ...row }) => ({
    id,
    type,
    status,
    current: row['current-progress'] ?? 0,
    total: row['total-progress'] ?? 0,
    ...(error === undefined ? {} : { error }),
  }))
}

/** The answer to `query-version`, as 7.02 for 7.2. */
export function parseVersion(answer: Json): number {
  const { qemu } = answer as { readonly qemu?: { readonly major?: number; readonly minor?: number } }
  return (qemu?.major ?? 0) + (qemu?.minor ?? 0) / 100
}

/** A node of QEMU's block layer. */
export interface NodeSeen {
  readonly name: string
  /** Dirty bitmaps that note every write and can be counted on, and how much they have noted. */
  readonly bitmaps: readonly { readonly name: string; readonly bytes: number }[]
  readonly allBitmaps: readonly string[]
}

/** The answer to `query-named-block-nodes`. */
export function parseNodes(answer: Json): NodeSeen[] {
  const rows = answer as readonly {
    readonly 'node-name'?: string
    readonly 'dirty-bitmaps'?: readonly {
      readonly name?: string
      readonly recording: boolean
      readonly busy: boolean
      readonly inconsistent?: boolean
      readonly count?: number
    }[]
  }[]
  return rows.map(({ 'node-name': name = '', 'dirty-bitmaps': bitmaps = [] }) => ({
    name,
    bitmaps: bitmaps.flatMap(({ name: bitmap, recording, busy, inconsistent, count = 0 }) =>
      bitmap !== undefined && recording && !busy && !inconsistent ? [{ name: bitmap, bytes: count }] : [],
    ),
    allBitmaps: bitmaps.flatMap((one) => one.name ?? []),
  }))
}

/** The answer to `query-block-exports`, by id. */
export function parseExports(answer: Json): string[] {
  return (answer as readonly { readonly id: string }[]).map(({ id }) => id)
}
