import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { type Qmp, withQmp } from '../../src/engine/tools/qmp.ts'
import { openSimLab, type SimLab } from '../support/sites/simLab.ts'
import { until } from '../support/until.ts'

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab(['pv1'])
})

const SOCKET = '/var/run/xen/qmp-libxl-2'

async function talk<T>(work: (qmp: Qmp) => Promise<T>): Promise<T> {
  const stream = await lab.host.connect(SOCKET, 'change')
  return await withQmp(stream, { peer: 'qemu', timeoutMs: 5000 }, work)
}

/** A value's shape: its keys, and what kind of thing each holds. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf)
  if (value === null || typeof value !== 'object') return typeof value
  const keys = Object.keys(value).sort()
  return Object.fromEntries(keys.map((key) => [key, shapeOf((value as Record<string, unknown>)[key])]))
}

/** The answers of a real QEMU, by the command that they answer. */
function realAnswers(): Map<string, unknown> {
  const text = readFileSync(join(import.meta.dir, '../transcripts/qmp-7.2-query-block.txt'), 'utf8')
  const lines = text.split('\n')
  const answers = new Map<string, unknown>()
  for (const [index, line] of lines.entries()) {
    if (!line.startsWith('-> ')) continue
    answers.set(JSON.parse(line.slice(3)).execute, JSON.parse(lines[index + 1]!.slice(3)).return)
  }
  return answers
}

test('tells of blocks what a real QEMU tells', async () => {
  const real = realAnswers()
  await talk(async (qmp) => {
    for (const [name, args] of [
      ['query-block', undefined],
      ['query-named-block-nodes', { flat: true }],
      ['query-status', undefined],
    ] as const) {
      const answer = (await qmp.execute(name, args)) as unknown
      expect({ name, shape: shapeOf(answer) }).toEqual({ name, shape: shapeOf(real.get(name)) })
    }
    const blocks = (await qmp.execute('query-block')) as unknown as {
      inserted: { 'node-name': string; file: string }
    }[]
    expect(blocks.map((block) => [block.inserted['node-name'], block.inserted.file])).toEqual([
      ['xvda-qcow2', '/lab/img/pv1-a.qcow2'],
      ['xvdb-qcow2', '/lab/img/pv1-b.qcow2'],
    ])
  })
})

/** The monitor of QEMU's storage daemon has the same code behind it as that of a domain's QEMU. */
describe('beside a real monitor', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pengx-sim-qmp-'))
  const socket = join(directory, 'qmp')
  let daemon: Bun.Subprocess
  beforeAll(async () => {
    const chardev = `socket,id=c,path=${socket},server=on,wait=off`
    daemon = Bun.spawn(['qemu-storage-daemon', '--chardev', chardev, '--monitor', 'chardev=c'])
    await until(() => existsSync(socket))
  })
  afterAll(async () => {
    daemon.kill()
    await daemon.exited
    rmSync(directory, { recursive: true })
  })

  /** What a monitor says, message by message, in the order of the questions. */
  async function conversation(stream: Duplex, questions: readonly object[]): Promise<Record<string, unknown>[]> {
    let heard = ''
    stream.on('data', (chunk) => {
      heard += String(chunk)
    })
    for (const [id, question] of questions.entries()) stream.write(`${JSON.stringify({ ...question, id })}\n`)
    await until(() => heard.split('\r\n').length > questions.length + 1)
    stream.destroy()
    return heard
      .trim()
      .split('\r\n')
      .map((line) => JSON.parse(line))
  }

  test('it greets, wants capabilities first, and refuses what it does not know in the same words', async () => {
    const questions = [
      { execute: 'query-version' },
      { execute: 'qmp_capabilities' },
      { execute: 'frobnicate' },
      { execute: 'block_resize', arguments: { 'node-name': 'none', size: 1024 } },
    ]
    const [[greeting, ...ours], [realGreeting, ...theirs]] = [
      await conversation(await lab.host.connect(SOCKET, 'change'), questions),
      await conversation(connect(socket), questions),
    ]
    expect(ours).toEqual(theirs)
    expect(shapeOf(greeting)).toEqual(shapeOf(realGreeting))
    expect(theirs.map((answer) => Object.keys(answer).sort().join(' '))).toEqual([
      'error id',
      'id return',
      'error id',
      'error id',
    ])
  })

  test.each<[string, () => Promise<Duplex>]>([
    ['the simulated one', () => lab.host.connect(SOCKET, 'change')],
    ['the real one', async () => connect(socket)],
  ])('%s serves one client at a time', async (_, open) => {
    const first = await open()
    await new Promise((resolve) => first.once('data', resolve))
    const second = await open()
    let greeted = false
    const greeting = new Promise<void>((resolve) => {
      second.once('data', () => {
        greeted = true
        resolve()
      })
    })
    await Bun.sleep(50)
    expect(greeted).toBe(false)
    first.destroy()
    await greeting
    second.destroy()
  })
})
