import { afterEach, describe, expect, test } from 'bun:test'
import { printList } from '../../../src/cli/list.ts'
import { LISTINGS } from '../../../src/cli/lists.ts'
import type { Host } from '../../../src/engine/host/host.ts'
import { PengxError } from '../../../src/model/error.ts'
import { judgeTwin } from '../../../src/model/twin.ts'
import { writeText } from '../../../src/sim/machine/files.ts'
import { createSimSite, type SimSite } from '../../../src/sim/site.ts'
import { act, pmNamed } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'
import { aPm } from '../store/samples.ts'

/** One machine-id at two destinations. */
let world: World | undefined
let site: SimSite
afterEach(async () => {
  await world?.close()
  world = undefined
})

const ID = '0123456789abcdef0123456789abcdef'
const UUID = '01234567-89ab-cdef-0123-456789abcdef'

function setId(pm: string, text: string): void {
  writeText(site.pm(pm), '/etc/machine-id', text, 1_000)
}

/** Destinations in their order, by the machine that each leads to. */
async function openAt(
  leadsTo: Readonly<Record<string, string>>,
  silent: ReadonlySet<string> = new Set(),
  pmNames = Object.keys(leadsTo),
) {
  const clock = createSkippingClock()
  site = createSimSite({ clock, vmCount: 6, pmCount: 3, pace: 0.2 })
  setId('xen1', `${ID}\n`)
  setId('xen3', `${ID}\n`)
  const host = (name: string): Host => {
    const real = site.host(leadsTo[name] ?? name)
    const open: Host['open'] = async (...given) => {
      if (silent.has(name)) throw new PengxError('unreachable', 'no route to host')
      return await real.open(...given)
    }
    return { ...real, name, open }
  }
  world = await openWorld({ clock, sim: { host, pmNames } })
  await world.engine.look()
  return world
}

const pms = () => world!.engine.view.pms()
const printed = () => LISTINGS.pms.objects(world!.engine) as { name: string; problem?: string; twins: string[] }[]

/** What `pengx pms` says on stderr. */
async function saidBeside({ engine }: World): Promise<string> {
  const said: string[] = []
  const io = { out: async () => undefined, err: (text: string) => void said.push(text) }
  await printList(engine, { list: 'pms', json: false }, io as never)
  return said.join('')
}

test('two machines: both are named, with the reason, and the one that was known first is shown', async () => {
  const world = await openAt({ xen1: 'xen1', xen2: 'xen2', xen3: 'xen3' })
  expect(pms().map((pm) => pm.seen.reach)).toEqual(expect.arrayContaining(['up', 'up', 'down']))
  const shown = pms().find((pm) => pm.uuid === UUID)!
  const twin = pms().find((pm) => pm.seen.reach === 'down')!
  expect([shown.destination, twin.destination].sort()).toEqual(['sim:xen1', 'sim:xen3'])
  expect(twin.seen).toMatchObject({
    twinOf: UUID,
    problem: `its machine-id is that of ${shown.name} (${shown.destination}) too: a cloned machine; give it its own, there, with \`rm -f /etc/machine-id /var/lib/dbus/machine-id && systemd-machine-id-setup\``,
  })
  // Nothing of the one is taken for the other's.
  const there = site.domainsOn(shown.destination.slice(4)).map((domain) => domain.name)
  expect(world.engine.view.vmsOn(UUID).every((vm) => there.includes(vm.domainName))).toBe(true)
  expect(printed().find((pm) => pm.name === shown.name)).toMatchObject({ twins: [twin.destination] })
  const table = LISTINGS.pms.table(world.engine)
  expect(table).toContain(`${twin.destination} has its machine-id too`)
  expect(table).toContain('a cloned machine')

  expect(await saidBeside(world)).toStartWith(`pengx: ${twin.name} is not shown: its machine-id is that of`)

  // Again and again, until it has one of its own.
  await world.engine.look()
  expect(pms()).toHaveLength(3)
  setId(twin.destination.slice(4), 'fedcba9876543210fedcba9876543210\n')
  await world.engine.look()
  await world.engine.look()
  expect(pms().map((pm) => [pm.seen.reach, pm.seen.twinOf])).toEqual(pms().map(() => ['up', undefined]))
  expect(printed().flatMap((pm) => pm.twins)).toEqual([])
})

test('one machine: it is shown once, and that it was named twice is said', async () => {
  const world = await openAt({ xen1: 'xen1', again: 'xen1', xen2: 'xen2' })
  expect(pms()).toHaveLength(2)
  const shown = pms().find((pm) => pm.uuid === UUID)!
  const other = shown.destination === 'sim:xen1' ? 'sim:again' : 'sim:xen1'
  expect(shown.seen).toMatchObject({ reach: 'up', alsoAt: [other] })
  expect(printed().find((pm) => pm.name === shown.name)).toMatchObject({ alsoAt: [other], twins: [] })
  expect(await saidBeside(world)).toBe(
    `pengx: ${other} is ${shown.name} (${shown.destination}): one machine, shown once\n`,
  )
})

describe('one whose boot is another than was last seen', () => {
  const known = { ...aPm({ uuid: UUID, name: 'xen1', destination: 'ssh:xen1' }) }
  known.seen = { ...known.seen, bootId: 'before' }
  const looked = (machineId: string, bootId: string) => ({ machineId, bootId })
  const here = looked(ID, 'now')
  const other = 'fedcba9876543210fedcba9876543210'

  test.each([
    ['is the same where the other says so too', looked(ID, 'now'), 'same'],
    [
      'is a copy where the other is booted otherwise',
      looked(ID, 'then'),
      { problem: /is that of xen1 \(ssh:xen1\) too: a cloned machine/ },
    ],
    [
      'is told where the other has another id by now',
      looked(other, 'then'),
      { problem: /ssh:xen1 leads to another machine now/ },
    ],
  ])('%s', async (_, there, expected) => {
    const verdict = await judgeTwin(known, here, async () => there)
    if (typeof expected === 'string') expect(verdict).toBe('same')
    else expect(verdict).toMatchObject({ problem: expect.stringMatching(expected.problem) })
  })

  test('is not looked for where it is the same boot', async () => {
    const ask = () => expect.unreachable('it was asked')
    expect(await judgeTwin(known, looked(ID, 'before'), ask)).toBe('same')
  })

  test('is a copy where neither tells its boot', async () => {
    const silent = looked(ID, '')
    expect(await judgeTwin(known, silent, async () => silent)).toMatchObject({
      problem: expect.stringMatching(/cloned/),
    })
  })
})

test('one that cannot be asked now leaves it open, and both are named', async () => {
  const silent = new Set<string>()
  const world = await openAt({ xen1: 'xen1', xen3: 'xen3' }, silent)
  const shown = pms().find((pm) => pm.uuid === UUID)!
  silent.add(shown.destination.slice(4))
  await world.engine.look()
  const reasons = pms().map((pm) => pm.seen.problem ?? '')
  expect(reasons).toContainEqual(expect.stringContaining('no route to host'))
  expect(reasons).toContainEqual(
    expect.stringMatching(/its machine-id is that of .*which cannot be asked now.*pm\.remove/),
  )
  await act(world, 'pm.remove', { pm: pmNamed(world, shown.name) })
  await world.engine.look()
  expect(pms().map((pm) => [pm.uuid, pm.seen.reach])).toEqual([[UUID, 'up']])
})

test('pm.add says which of the two it is', async () => {
  const world = await openAt({ xen1: 'xen1', again: 'xen1' }, new Set(), ['xen1'])
  await expect(act(world, 'pm.add', { destination: 'sim:xen3' })).rejects.toThrow(
    'sim:xen3 is not added: its machine-id is that of xen1 (sim:xen1) too: a cloned machine',
  )
  await expect(act(world, 'pm.add', { destination: 'sim:again' })).rejects.toThrow(
    'sim:again is not added: it is PM xen1 (sim:xen1) already',
  )
})
