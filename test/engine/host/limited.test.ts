import { describe, expect, test } from 'bun:test'
import { batch } from '../../../src/engine/host/batch.ts'
import type { Command } from '../../../src/engine/host/host.ts'
import { limitHost } from '../../../src/engine/host/limited.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run } from '../../../src/engine/host/run.ts'
import { heldHost } from '../../support/heldHost.ts'
import { until } from '../../support/until.ts'

const READ: Command = { argv: ['xl', 'list'], effect: 'read' }
const CHANGE: Command = { argv: ['xl', 'destroy', '3'], effect: 'change' }

describe('a limited host', () => {
  const OTHER: Command = { argv: ['cat', '/etc/hosts'], effect: 'read' }
  const COPY: Command = { argv: ['qemu-img', 'convert'], effect: 'change', endable: true, queue: 'copies' }
  const BUILD: Command = { argv: ['xl', 'create'], effect: 'change', queue: 'builds' }
  const UNPAUSE: Command = { argv: ['xl', 'unpause', '3'], effect: 'change' }
  const lines = (open: readonly { command: Command }[]) => open.map(({ command }) => command.argv.join(' '))

  test('runs so many at once and the others in their turn', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host, { others: 3 })
    const started = Array.from({ length: 5 }, () => limited.open(OTHER))
    await Promise.all(started.slice(0, 3))
    await Bun.sleep(5)
    expect(open).toHaveLength(3)
    open[1]!.end(0)
    await until(() => open.length === 4)
    open[0]!.lose(new Error('lost'))
    await started[0]!.then((process) => process.exited.catch(() => undefined))
    await until(() => open.length === 5)
  })

  test('lets no create, destroy, unpause or look wait behind copies, and no copy behind them', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host)
    for (let count = 0; count < 20; count++) void limited.open(COPY)
    for (let count = 0; count < 20; count++) void limited.open(OTHER)
    await until(() => open.length === 10)
    await limited.open(BUILD)
    await limited.open(CHANGE)
    await limited.open(UNPAUSE)
    await limited.open(READ)
    expect(lines(open.slice(10))).toEqual(['xl create', 'xl destroy 3', 'xl unpause 3', 'xl list'])
    expect(lines(open).filter((line) => line === 'qemu-img convert')).toHaveLength(2)
  })

  test('has places of their own for builds, of which only two run at once', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host)
    for (let count = 0; count < 5; count++) void limited.open(BUILD)
    await limited.open(CHANGE)
    expect(lines(open)).toEqual(['xl create', 'xl create', 'xl destroy 3'])
    open[0]!.end(0)
    await until(() => open.length === 4)
  })

  test('a batch goes where its xl goes', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host, { others: 1, xl: 1, looks: 1 })
    await limited.open(OTHER)
    await limited.open(batch([OTHER, CHANGE]))
    await limited.open(batch([OTHER, READ]))
    expect(open).toHaveLength(3)
    for (const command of [OTHER, UNPAUSE, READ]) void limited.open(command)
    await Bun.sleep(5)
    expect(open).toHaveLength(3)
  })

  test('says behind what one waits, and that it waits no more', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host, { copies: 2, builds: 1 })
    const said: (string | undefined)[] = []
    const hear = (why: string | undefined) => void said.push(why)
    await limited.open(COPY, undefined, hear)
    await limited.open(COPY, undefined, hear)
    await limited.open(BUILD, undefined, hear)
    expect(said).toEqual([])
    const third = limited.open(COPY, undefined, hear)
    expect(said).toEqual(['waits for its turn behind 2 copies on alpha'])
    open[1]!.end(0)
    await third
    expect(said).toEqual(['waits for its turn behind 2 copies on alpha', undefined])
    const controller = new AbortController()
    const given = limited.open(BUILD, controller.signal, hear)
    expect(said.at(-1)).toBe('waits for its turn behind 1 build of a domain on alpha')
    controller.abort()
    await expect(given).rejects.toMatchObject({ code: 'cancelled' })
    expect(said.at(-1)).toBeUndefined()
  })

  test('the time of a command begins with it', async () => {
    const limited = limitHost(openLocalHost('here'), { others: 1 })
    const first = run(limited, { argv: ['sleep', '0.8'], effect: 'read' })
    const second = run(limited, { argv: ['sleep', '0.1'], effect: 'read', timeoutMs: 600 })
    expect((await first).exit).toBe(0)
    expect((await second).exit).toBe(0)
  })

  test('a wait can be given up, and takes no place then; a failed start gives its place back', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host, { others: 1 })
    await limited.open(OTHER)
    const controller = new AbortController()
    const waiting = limited.open(OTHER, controller.signal)
    const failing = limited.open({ argv: ['missing'], effect: 'read' })
    const last = limited.open({ argv: ['touch'], effect: 'change' })
    controller.abort()
    await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
    open[0]!.end(0)
    await expect(failing).rejects.toThrow('missing')
    await last
    expect(open.map((each) => each.command.effect)).toEqual(['read', 'change'])
    await expect(limited.open(OTHER, controller.signal)).rejects.toMatchObject({ code: 'cancelled' })
  })

  test('what is aborted while it runs has its place until it has ended', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host, { copies: 1 })
    const controller = new AbortController()
    await limited.open(COPY, controller.signal)
    const next = limited.open(COPY)
    controller.abort()
    await Bun.sleep(5)
    expect(open).toHaveLength(1)
    open[0]!.end(0)
    await next
    expect(open).toHaveLength(2)
  })

  test('a terminal takes no place, nor does what says so', async () => {
    const { host, open } = heldHost()
    const limited = limitHost(host, { others: 1, xl: 1 })
    await limited.open({ ...CHANGE, pty: { columns: 80, rows: 24 } })
    await limited.open(CHANGE)
    await limited.open({ ...CHANGE, queue: 'none' })
    await limited.open({ ...CHANGE, queue: 'none' })
    expect(open).toHaveLength(4)
  })
})
