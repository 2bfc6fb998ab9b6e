import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex, PassThrough } from 'node:stream'
import { parseBlockCounters, type Qmp, withQmp } from '../../../src/engine/tools/qmp.ts'
import { transcriptText } from '../../support/transcript.ts'
import { until } from '../../support/until.ts'

describe('a real monitor', () => {
  const directory = mkdtempSync(join(tmpdir(), 'pengx-qmp-'))
  const socket = join(directory, 'qmp')
  const image = join(directory, 'a.qcow2')
  let daemon: Bun.Subprocess

  beforeAll(async () => {
    Bun.spawnSync(['qemu-img', 'create', '-q', '-f', 'qcow2', image, '4M'])
    daemon = Bun.spawn([
      'qemu-storage-daemon',
      ...['--chardev', `socket,id=c,path=${socket},server=on,wait=off`, '--monitor', 'chardev=c'],
      ...['--blockdev', `driver=file,node-name=f,filename=${image}`],
      ...['--blockdev', 'driver=qcow2,node-name=xvda-qcow2,file=f'],
    ])
    await until(() => existsSync(socket))
  })
  afterAll(async () => {
    daemon.kill()
    await daemon.exited
    rmSync(directory, { recursive: true })
  })
  const talk = <T>(work: (qmp: Qmp) => Promise<T>, timeoutMs = 10_000) =>
    withQmp(connect(socket), { peer: 'the daemon', timeoutMs }, work)

  test('answers', async () => {
    const nodes = (await talk((qmp) => qmp.execute('query-named-block-nodes', { flat: true }))) as {
      'node-name': string
    }[]
    expect(nodes.map((node) => node['node-name'])).toContain('xvda-qcow2')
  })

  test('several questions at once get their own answers', async () => {
    const [version, , names] = await talk((qmp) =>
      Promise.all([
        qmp.execute('query-version'),
        qmp.execute('query-no-such').catch(() => null),
        qmp.execute('query-commands'),
      ]),
    )
    expect(version).toHaveProperty('qemu')
    expect(Array.isArray(names)).toBe(true)
  })

  test('an error names its class and its description', async () => {
    await expect(talk((qmp) => qmp.execute('query-no-such'))).rejects.toMatchObject({
      code: 'commandFailed',
      message: expect.stringMatching(/the daemon: .*query-no-such.*\(CommandNotFound\)/),
    })
  })

  test('events answer nobody', async () => {
    const target = join(directory, 'b.qcow2')
    const jobs = await talk(async (qmp) => {
      await qmp.execute('blockdev-create', {
        'job-id': 'j',
        options: { driver: 'file', filename: target, size: 65536 },
      })
      const concluded = await until(async () => {
        const all = (await qmp.execute('query-jobs')) as { id: string; status: string }[]
        return all.every(({ status }) => status === 'concluded') ? all : undefined
      })
      await qmp.execute('job-dismiss', { id: 'j' })
      return concluded!.map(({ id }) => id)
    })
    expect([jobs, existsSync(target)]).toEqual([['j'], true])
  })

  test('serves one at a time: who waits too long is told that it is busy', async () => {
    await talk(async () => {
      await expect(talk(async () => 1, 100)).rejects.toMatchObject({ code: 'busy' })
    })
    expect(await talk(async () => 1)).toBe(1)
  })

  test('is left, whatever the end', async () => {
    await expect(talk(() => Promise.reject(new Error('mine')))).rejects.toThrow('mine')
    expect(await talk(async () => 2)).toBe(2)
  })
})

/** A monitor that says what it is told to say. */
function scripted(lines: readonly string[]): Duplex {
  const out = new PassThrough()
  for (const line of lines) out.write(line)
  return Duplex.from({ readable: out, writable: new PassThrough() })
}

const options = { peer: 'qemu', timeoutMs: 10_000 }

test('one that closes in the middle', async () => {
  const stream = scripted(['{"QMP": {}}\r\n'])
  const ended = withQmp(stream, options, async () => 1)
  stream.destroy()
  await expect(ended).rejects.toMatchObject({ code: 'unreachable' })
})

test('one that speaks something else', async () => {
  await expect(withQmp(scripted(['SSH-2.0-OpenSSH\r\n']), options, async () => 1)).rejects.toMatchObject({
    code: 'commandFailed',
    message: 'qemu does not speak QMP',
  })
})

test('messages, wherever they are cut', async () => {
  const lines = [
    '{"return": "é", "id": 2}\r',
    '{"event": "JOB_STATUS_CHANGE"}',
    '{"return": [1], "id": 3}',
    '',
    '{"return"',
  ]
  const bytes = new TextEncoder().encode(lines.join('\n'))
  for (let cut = 1; cut < bytes.length; cut++) {
    const stream: Duplex = new Duplex({
      read: () => undefined,
      write(command: Buffer, _encoding, done) {
        const { id } = JSON.parse(command.toString())
        if (id === 1) stream.push('{"return": {}, "id": 1}\n')
        if (id === 3) for (const chunk of [bytes.slice(0, cut), bytes.slice(cut)]) stream.push(chunk)
        done()
      },
    })
    stream.push('{"QMP": {}}\r\n')
    const answers = await withQmp(stream, options, (qmp) => Promise.all([qmp.execute('a'), qmp.execute('b')]))
    expect([cut, ...answers]).toEqual([cut, 'é', [1]])
  }
})

test('disk counters of QEMU 7.2', () => {
  const line = transcriptText('qmp-7.2-blockstats')
    .split('\n')
    .find((one) => one.includes('"rd_bytes"'))!
  expect(parseBlockCounters(JSON.parse(line.slice(3)).return)).toEqual([
    {
      node: 'xvda-qcow2',
      device: '',
      qdev: '/machine/unattached/device[2]',
      readBytes: 217088,
      writeBytes: 204800,
    },
    expect.objectContaining({ node: 'xvdb-mirror', qdev: '/machine/unattached/device[3]' }),
  ])
})
