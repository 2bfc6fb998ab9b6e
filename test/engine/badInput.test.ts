import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import type { Job } from '../../src/model/job.ts'
import type { Fault } from '../../src/sim/stage/faults.ts'
import { adoptRunning, refusalOf } from '../support/sites/acts.ts'
import { openWorld, pictureOf, type World } from '../support/sites/world.ts'

/** Whatever is wrong, the message names what, where and what would help, and nothing is left behind. */

let world: World
beforeEach(async () => {
  world = await openWorld()
  const pm = pmUuid('xen1')
  await ended('storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm })
})
afterEach(() => world.close())

const pmUuid = (name: string) => world.engine.view.pms().find((pm) => pm.name === name)!.uuid
const NEW = { name: 'fresh', storlink: 1, memory: 512, type: 'hvm', diskSize: 1024 }

async function ended(operation: string, raw: Readonly<Record<string, unknown>>): Promise<Job> {
  const { engine } = world
  const started = await engine.start(operation, engine.decode(operation, raw), 'cli')
  return (await engine.finished(started.id)).job
}

const refusal = (operation: string, raw: Readonly<Record<string, unknown>>) => refusalOf(world, operation, raw)

describe('refused before it begins', () => {
  const WRONG: readonly [string, string, Readonly<Record<string, unknown>>, RegExp][] = [
    ['a name with a slash', 'vm.create', { ...NEW, name: 'a/b' }, /^refused: .*no "\/"/],
    [
      'too much memory',
      'vm.create',
      { ...NEW, memory: 9_000_000 },
      /^refused: .*9000000 MiB is more than PM xen1 has: \d+ MiB/,
    ],
    ['a storlink that there is not', 'vm.create', { ...NEW, storlink: 77 }, /^refused: .*storlink 77 does not exist/],
    ['no disk', 'vm.create', { ...NEW, diskSize: '' }, /^refused: .*diskSize is missing/],
    [
      'an unknown bridge',
      'vm.create',
      { ...NEW, bridges: 'nobr9' },
      /^invalid: bridges: nobr9 is not on xen1, which has xenbr0/,
    ],
    [
      'an image that is not there',
      'vm.create',
      { ...NEW, image: '/data/none.qcow2' },
      /^invalid: image: there is no file \/data\/none\.qcow2 on xen1/,
    ],
    ['an ISO for PV', 'vm.create', { ...NEW, type: 'pv', iso: '/data/x.iso' }, /^refused: .*iso is for HVM/],
    ['memory over maxmem', 'vm.create', { ...NEW, maxmem: 100 }, /^refused: .*maxmem 100 MiB is less than memory 512/],
    ['a word for a number', 'vm.create', { ...NEW, memory: 'much' }, /^invalid: memory: "much" is not a number/],
    [
      'a directory that is not there',
      'storlink.create',
      { name: 'x', link: '/nowhere', type: 'LO', level: 'FL', pm: '' },
      /^(refused|invalid): .*(\/nowhere is not there on|pm is missing)/,
    ],
    [
      'a level that its type has not',
      'storlink.create',
      { name: 'x', link: '/y', type: 'NFS', level: 'BL' },
      /^refused: .*NFS has level FL, not BL/,
    ],
    [
      'a storlink twice',
      'storlink.create',
      { name: 'y', link: '/data/', type: 'LO', level: 'FL' },
      /^(refused|invalid): /,
    ],
    [
      'nothing of that name',
      'vm.adopt',
      { what: 'nobody' },
      /^notFound: nothing named "nobody" was found; not adopted are /,
    ],
    ['a machine that is not there', 'pm.add', { destination: 'sim:xen9' }, /^notFound: .*xen9/],
  ]
  for (const [what, operation, raw, words] of WRONG) {
    test(what, async () => expect(await refusal(operation, raw)).toMatch(words))
  }

  test('a name that another VM under care has', async () => {
    await ended('vm.create', NEW)
    expect(await refusal('vm.create', NEW)).toMatch(
      /^refused: cannot create VM fresh: the name fresh is taken by VM [0-9a-f-]{36} on xen1/,
    )
  })
})

describe('fails on the way', () => {
  async function fails(
    operation: string,
    raw: Readonly<Record<string, unknown>>,
    fault: Fault,
    words: RegExp,
  ): Promise<void> {
    const before = await pictureOf(world)
    world.site.faults.add(fault)
    const job = await ended(operation, raw)
    world.site.faults.clear()
    expect(`${job.state} ${job.code}: ${job.message}`).toMatch(words)
    expect(await pictureOf(world)).toEqual(before)
  }

  test('a full disk', async () => {
    await fails(
      'vm.create',
      NEW,
      {
        match: 'qemu-img create',
        effect: { kind: 'failBefore', stderr: 'qemu-img: /data/x: No space left on device\n' },
      },
      /^undone noSpace: .*on xen1.*No space left on device/,
    )
  })

  test('a disk that is really full', async () => {
    const before = await pictureOf(world)
    world.site.faults.fillDisk('xen1', '/data')
    expect(await refusal('vm.create', NEW)).toMatch(
      /^noSpace: cannot create disks on data \(\/data on xen1\): 0 MiB free/,
    )
    expect(await pictureOf(world)).toEqual(before)
  })

  test('xl says yes and the domain is gone', async () => {
    await ended('vm.create', NEW)
    const { uuid } = world.engine.view.vmsNamed('fresh')[0]!
    await fails(
      'vm.start',
      { vm: uuid },
      { match: 'xl create', effect: { kind: 'lie' } },
      /^undone commandFailed: .*fresh/,
    )
  })

  test('a machine too busy for its own time-outs: tried again, and not for ever', async () => {
    await ended('vm.create', NEW)
    const vm = world.engine.view.vmsNamed('fresh')[0]!.uuid
    const script = '/etc/xen/scripts/vif-bridge online'
    const stderr = `libxl: error: libxl_aoutils.c:539:async_exec_timeout: killing execution of ${script} because of timeout\n`
    const fault = { match: 'xl create', effect: { kind: 'failBefore', exit: 3, stderr } } as const
    const why = /vif-bridge online did not end in time; is the machine or its storage overloaded\?/
    await fails('vm.start', { vm }, { ...fault, times: 3 }, new RegExp(`^undone busy: .*${why.source}`))
    world.site.faults.add({ ...fault, times: 2 })
    expect((await ended('vm.start', { vm })).state).toBe('done')
    world.site.faults.clear()
    await ended('vm.poweroff', { vm })
    world.site.faults.add({ ...fault, effect: { ...fault.effect, kind: 'failAfter' } })
    // what it has left is half built
    const leaveHalf = (argv: readonly string[]) => {
      const isListed = argv[1] === 'list' && world.site.domain('fresh') !== undefined
      if (isListed) world.site.faults.leaveHalfBuilt('fresh')
      return isListed
    }
    world.site.faults.add({ match: leaveHalf, effect: { kind: 'slow', ms: 0 } })
    const job = await ended('vm.start', { vm })
    expect([job.state, world.site.domainsOn('xen1').filter((domain) => domain.uuid === vm).length]).toEqual(['done', 1])
    expect(job.message).toMatch(/It is tried again/)
  })

  test('xl says no though it did: what is there counts', async () => {
    await ended('vm.create', NEW)
    const { uuid } = world.engine.view.vmsNamed('fresh')[0]!
    const effect = { kind: 'failAfter', exit: 3, stderr: 'libxl: error: something\n' } as const
    world.site.faults.add({ match: 'xl create', effect })
    expect((await ended('vm.start', { vm: uuid })).state).toBe('done')
    await world.engine.look()
    expect(world.engine.view.needVm(uuid).seen.state).toBe('running')
  })

  test('a host that drops in the middle is waited for, and then nothing is left', async () => {
    const before = await pictureOf(world)
    world.site.faults.add({ match: 'qemu-img create', effect: { kind: 'lostAfter' } })
    world.site.faults.add({ match: 'rm -f', effect: { kind: 'unreachable', ms: 400 } })
    const job = await ended('vm.create', NEW)
    expect(`${job.state} ${job.code}`).toBe('stuck unreachable')
    world.site.faults.clear()
    expect(await waitFor(() => world.engine.view.getJob(job.id)?.state === 'undone')).toBe(true)
    expect(await pictureOf(world)).toEqual(before)
  })
})

async function waitFor(reached: () => boolean): Promise<boolean> {
  for (let round = 0; round < 200 && !reached(); round++) {
    await world.engine.look()
    await Bun.sleep(25)
  }
  return reached()
}

describe('what is remembered is not believed against what is', () => {
  test('a VM that somebody else has just destroyed can be started', async () => {
    await ended('vm.create', NEW)
    const { uuid } = world.engine.view.vmsNamed('fresh')[0]!
    expect((await ended('vm.start', { vm: uuid })).state).toBe('done')
    await waitFor(() => world.engine.view.needVm(uuid).seen.state === 'running')
    world.site.faults.vanishDomain('fresh')
    expect(world.engine.view.needVm(uuid).seen.state).toBe('running')
    expect((await ended('vm.start', { vm: uuid })).state).toBe('done')
  })

  test('who asks for a look is told of this moment, and not that a guest may be rebooting', async () => {
    const { uuid, name } = await adoptRunning(world)
    world.site.faults.vanishDomain(name)
    await world.engine.look()
    expect(world.engine.view.needVm(uuid).seen.state).toBe('shutdown')
  })
})

describe('one VM never runs twice', () => {
  test('nothing is made on a disk in its place that is in use by another domain, whatever it is called', async () => {
    const found = world.engine.view.vms().find((vm) => vm.origin === 'found' && vm.seen.state === 'running')!
    const there = { name: 'there', link: '/data', type: 'LO', level: 'FL', pm: found.pm }
    if (found.pm !== pmUuid('xen1')) await ended('storlink.create', there)
    const { id } = world.engine.view.storlinks().find((one) => one.pm === found.pm)!
    const taken = { ...NEW, storlink: id, diskSize: '', image: `/${found.disks[0]!.path}`, copyImage: false }
    expect(await refusal('vm.create', taken)).toMatch(new RegExp(`is in use by ${found.name} \\(domain \\d+ on`))
  })

  test('a domain of the same name and another UUID is left alone', async () => {
    await ended('vm.create', NEW)
    const { uuid } = world.engine.view.vmsNamed('fresh')[0]!
    const host = world.site.host('xen1')
    const config = 'name = "fresh"\nmemory = 128\ntype = "pv"\nkernel = "/boot/vmlinuz-guest"\n'
    await run(host, { argv: ['dd', 'of=/tmp/decoy.cfg', 'status=none'], effect: 'change', stdin: config })
    await run(host, { argv: ['xl', 'create', '/tmp/decoy.cfg'], effect: 'change' })
    const decoy = world.site.domainsOn('xen1').find((domain) => domain.name === 'fresh')!
    expect(await refusal('vm.start', { vm: uuid })).toMatch(
      new RegExp(`^refused: another domain \\(\\d+, UUID ${decoy.uuid}\\) has the name fresh on xen1`),
    )
    expect(world.site.domainsOn('xen1').find((domain) => domain.name === 'fresh')?.uuid).toBe(decoy.uuid)
  })

  test('nor counts a domain that was on its way out when it was seen, and is gone', async () => {
    await ended('vm.create', NEW)
    const { uuid } = world.engine.view.vmsNamed('fresh')[0]!
    await ended('vm.start', { vm: uuid })
    const pm = world.site.state.pms.find(({ name }) => name === 'xen1')!
    pm.domains.find((domain) => domain.uuid === uuid)!.name = '(null)'
    await world.engine.look()
    expect(world.engine.view.needPm(pmUuid('xen1')).seen.strays).toMatchObject([{ uuid }])
    pm.domains = pm.domains.filter((domain) => domain.uuid !== uuid)
    expect((await ended('vm.delete', { vm: uuid })).state).toBe('done')
  })

  test('nor is one started that lives where it was seen last', async () => {
    await ended('vm.create', NEW)
    const { uuid } = world.engine.view.vmsNamed('fresh')[0]!
    await ended('vm.start', { vm: uuid })
    const [here, there] = ['xen1', 'xen2'].map((name) => world.site.state.pms.find((one) => one.name === name)!)
    const [domain] = here!.domains.filter((one) => one.uuid === uuid)
    there!.domains.push({ ...domain!, domid: 41, name: '(null)' })
    here!.domains = here!.domains.filter((one) => one !== domain)
    await world.engine.look()
    const again = { ...world.engine.view.needPm(pmUuid('xen2')).seen.strays?.[0] }
    expect(again).toMatchObject({ uuid, domid: 41 })
    expect(await refusal('vm.start', { vm: uuid })).toMatch(
      /^refused: fresh runs on xen2 as domid 41: .* run it twice$/,
    )
  })
})
