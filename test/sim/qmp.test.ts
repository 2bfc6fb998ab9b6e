import { beforeEach, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Qmp, withQmp } from '../../src/engine/tools/qmp.ts'
import { openSimLab, type SimLab } from '../support/sites/simLab.ts'

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab(['pv1'])
})

const SOCKET = '/var/run/xen/qmp-libxl-2'

async function talk<T>(work: (qmp: Qmp) => Promise<T>, socket = SOCKET): Promise<T> {
  const stream = await lab.host.connect(socket)
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

test('greets as QEMU does and wants capabilities first', async () => {
  const stream = await lab.host.connect(SOCKET)
  const heard: string[] = []
  stream.on('data', (chunk) => heard.push(String(chunk)))
  stream.write('{"execute":"query-status","id":1}\n')
  await new Promise((resolve) => setTimeout(resolve, 0))
  const messages = heard
    .join('')
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line))
  expect(messages[0].QMP.version.qemu).toEqual({ micro: 22, minor: 2, major: 7 })
  expect(messages[1]).toMatchObject({ error: { class: 'CommandNotFound' }, id: 1 })
  stream.destroy()
})

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

test('refuses what it does not know', async () => {
  await talk(async (qmp) => {
    await expect(qmp.execute('frobnicate')).rejects.toThrow('The command frobnicate has not been found')
    const resize = qmp.execute('block_resize', { 'node-name': 'none', size: 1024 })
    await expect(resize).rejects.toThrow("Cannot find device='' nor node-name='none'")
  })
})

test('resizes an image under its guest', async () => {
  await talk((qmp) => qmp.execute('block_resize', { 'node-name': 'xvda-qcow2', size: 83_886_080 }))
  const { stdout } = await lab.sh('qemu-img info -U --output=json /lab/img/pv1-a.qcow2')
  expect(JSON.parse(stdout)['virtual-size']).toBe(83_886_080)
})

test('serves one client at a time; each socket has its own line', async () => {
  const first = await lab.host.connect(SOCKET)
  const second = await lab.host.connect(SOCKET)
  let greeted = false
  const greeting = new Promise<void>((resolve) => {
    second.once('data', () => {
      greeted = true
      resolve()
    })
  })
  await talk((qmp) => qmp.execute('query-status'), '/var/run/xen/qmp-libxenstat-2')
  expect(greeted).toBe(false)
  first.destroy()
  await greeting
  second.destroy()
})

test('only a guest with a QEMU has sockets', async () => {
  const config = 'name = "plain"\nmemory = 64\nkernel = "/lab/guest-vmlinuz"\ndisk = ["phy:/dev/vg-fast/d1,xvda,w"]\n'
  await lab.sh('lvcreate -y -n d1 -L 64M vg-fast')
  await lab.sh('tee /lab/cfg/plain.cfg', config)
  expect((await lab.sh('xl create /lab/cfg/plain.cfg')).exit).toBe(0)
  await lab.clock.advance(60_000)
  const { domid } = lab.site.domain('plain')!
  expect((await lab.sh(`xl block-list ${domid}`)).stdout).toContain(`/local/domain/0/backend/vbd/${domid}/51712`)
  await expect(lab.host.connect(`/var/run/xen/qmp-libxl-${domid}`)).rejects.toMatchObject({ code: 'notFound' })
  expect((await lab.sh('ls /var/run/xen')).stdout).not.toContain(`qmp-libxl-${domid}\n`)
})

test('a talk ends with the domain', async () => {
  const stream = await lab.host.connect(SOCKET)
  const closed = new Promise((resolve) => stream.once('close', resolve))
  await lab.sh('xl destroy pv1')
  stream.write('{"execute":"qmp_capabilities"}\n')
  await closed
  await expect(lab.host.connect(SOCKET)).rejects.toMatchObject({ code: 'notFound' })
})
