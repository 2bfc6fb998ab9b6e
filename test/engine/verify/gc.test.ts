import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { readClaim } from '../../../src/engine/tools/claims.ts'
import { readName } from '../../../src/engine/verify/names.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { openKills } from '../../contract/kills.ts'
import { stepsOf } from '../../contract/operationSteps.ts'
import { openTrials } from '../../contract/trials.ts'
import {
  act,
  adoptRunning,
  makeStorlink,
  makeVm,
  NEW_VM,
  pmNamed,
  refusalOf,
  startVm,
} from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { BACKUP_CASES } from '../operations/cases/backupCases.ts'
import { DEVICE_CASES } from '../operations/cases/deviceCases.ts'
import { SNAPSHOT_CASES } from '../operations/cases/snapshotCases.ts'
import { VM_CASES } from '../operations/cases/vmCases.ts'

/** Why what lies in a storlink stays, or may go; and what a process that was killed leaves there. */
let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

async function sh(argv: readonly [string, ...string[]], stdin?: string): Promise<void> {
  await run(world.site.host('xen1'), { argv, effect: 'change', ...(stdin === undefined ? {} : { stdin }) })
}

const image = (path: string, ...backing: string[]) => sh(['qemu-img', 'create', '-f', 'qcow2', ...backing, path, '64M'])
const OTHERS = '/data/0d600000-0000-4000-8000-000000000001.qcow2'

const claimOn = async (path: string) => (await run(world.site.host('xen1'), readClaim(path))).stdout.trim()

async function classOf(path: string): Promise<string> {
  const { volumes } = await world.engine.verify()
  const volume = volumes.find((one) => one.path === path)
  return volume ? `${volume.of}: ${volume.reason}` : 'it is not there'
}

/** A volume that a job of this store has made, and that was given out of care since. */
async function givenAway(): Promise<string> {
  const vm = await makeVm(world)
  const { path } = vm.disks[1]!
  await act(world, 'vm.delete', { vm: vm.uuid, disks: 'none' })
  return path
}

describe('what stays', () => {
  test('what is written down: disks, layers, backups and their manifests, seeds', async () => {
    const vm = await makeVm(world)
    await act(world, 'snapshot.create', { vm: vm.uuid, name: 'before' })
    await act(world, 'backup.create', { vm: vm.uuid, storlink: vm.disks[0]!.storlink, name: 'monday' })
    const now = world.engine.view.needVm(vm.uuid)
    const [backup] = world.engine.view.backups()
    expect(await classOf(now.disks[0]!.path)).toBe(`known: disk ${vm.disks[0]!.vdev} of VM fresh`)
    expect(await classOf(vm.disks[0]!.path)).toBe(`known: disk ${vm.disks[0]!.vdev} of layer 1 of VM fresh`)
    expect(await classOf(backup!.volumes[0]!.path)).toBe('known: disk xvda of backup monday of fresh')
    expect(await classOf(`/data/${backup!.uuid}.backup.json`)).toBe('known: the manifest of backup monday of fresh')
  })

  test('what was set aside of a disk that is written down', async () => {
    const [{ path }] = (await makeVm(world)).disks as unknown as [Vm['disks'][number]]
    await sh(['mv', path, `${path}.aside`])
    expect(await classOf(`${path}.aside`)).toStartWith('known: set aside, and written down')
  })

  test('what was set aside on a shared storlink, of a VM that is on another PM than the one that looks', async () => {
    world.site.share('/data', ['xen1', 'xen2'])
    const storlink = await makeStorlink(world)
    await act(world, 'storlink.update', { storlink, shared: true })
    await act(world, 'vm.create', { ...NEW_VM, storlink, pm: pmNamed(world, 'xen2') })
    const { pm, disks } = world.engine.view.needVm(NEW_VM.uuid)
    expect(pm).toBe(pmNamed(world, 'xen2'))
    await sh(['mv', disks[0]!.path, `${disks[0]!.path}.aside`])
    expect(await classOf(`${disks[0]!.path}.aside`)).toStartWith('known: set aside')
    expect(await classOf(disks[1]!.path)).toBe('known: disk xvdb of VM fresh')
  })

  test('what another pengx has made, whatever became of it', async () => {
    await makeVm(world)
    for (const path of [OTHERS, `${OTHERS}.new`, `${OTHERS}.aside`]) {
      await image(path)
      expect(await classOf(path)).toStartWith('unknown: no job of this store has made it')
    }
  })

  test('what has no name of pengx’s, and what is its own mark', async () => {
    await makeVm(world)
    await image('/data/mine.qcow2')
    await sh(['touch', '/data/.pengx-storlink'])
    expect(await classOf('/data/mine.qcow2')).toStartWith('foreign: not pengx’s')
    expect(await classOf('/data/.pengx-storlink')).toStartWith('known: pengx’s own mark')
  })

  test('what carries a claim, and the claim', async () => {
    const path = await givenAway()
    await sh(['ln', '-s', '{"vm":"x"}', `${path}.claim`])
    expect(await classOf(path)).toStartWith('used: it carries a claim')
    expect(await classOf(`${path}.claim`)).toStartWith('known: pengx’s own mark')
  })

  test('a claim on a volume that is gone, as long as somebody may stand behind it', async () => {
    const vm = await startVm(world)
    await sh(['ln', '-s', await claimOn(vm.disks[0]!.path), '/data/gone.qcow2.claim'])
    await sh(['ln', '-s', 'nobody understands it', '/data/other.qcow2.claim'])
    for (const path of ['/data/gone.qcow2.claim', '/data/other.qcow2.claim'])
      expect(await classOf(path)).toStartWith('known: pengx’s own mark')
  })

  test('what an image lies on that nobody knows', async () => {
    const path = await givenAway()
    await image(OTHERS, '-b', path.replace('/data/', '/data//'), '-F', 'qcow2')
    expect(await classOf(path)).toBe(`used: ${OTHERS} lies on it`)
  })

  test('what a configuration names, and what a domain has', async () => {
    const path = await givenAway()
    const disk = `disk = [ 'format=qcow2,vdev=xvda,access=rw,target=${path}' ]`
    await sh(['tee', '/root/odd.cfg'], `name = "odd"\ntype = "pvh"\nmemory = 128\n${disk}\n`)
    await sh(['cp', '/root/odd.cfg', '/etc/xen/odd.cfg'])
    expect(await classOf(path)).toBe('used: configuration /etc/xen/odd.cfg names it')
    await sh(['rm', '/etc/xen/odd.cfg'])
    await sh(['xl', 'create', '/root/odd.cfg'])
    expect(await classOf(path)).toStartWith('known: named by VM odd')
  })

  test('what was given out of care on purpose', async () => {
    expect(await classOf(await givenAway())).toBe(
      'used: job 2 (vm.create) has made it, and it was given out of care since',
    )
  })

  test('all of a shared storlink, while one that sees it does not answer', async () => {
    const vm = await makeVm(world)
    const path = `${vm.disks[0]!.path}.new`
    await image(path)
    expect(await classOf(path)).toStartWith('leftover: job 2 (vm.create)')
    await act(world, 'storlink.update', { storlink: vm.disks[0]!.storlink, shared: true })
    expect(await classOf(path)).toStartWith('leftover')
    world.site.faults.unreachable('xen2', 1_000_000)
    expect(await classOf(path)).toBe('used: PM xen2 does not answer, and may have it in use')
    const refused = await refusalOf(world, 'storlink.clean', { storlink: vm.disks[0]!.storlink, paths: [path] })
    expect(refused).toBe(`refused: ${path} stays: PM xen2 does not answer, and may have it in use`)
  })
})

describe('what may go', () => {
  test('what is unfinished, and goes by the repair of its finding; a second time there is nothing', async () => {
    const vm = await startVm(world)
    await adoptRunning(world)
    const { path, storlink } = vm.disks[0]!
    await image(`${path}.new`)
    await sh(['mkdir', `${path}.parts`])
    await image(OTHERS)
    const { findings } = await world.engine.verify()
    const leftovers = findings.filter(({ code }) => code === 'LEFTOVER')
    expect(leftovers.map((one) => one.path).sort()).toEqual([`${path}.new`, `${path}.parts`])
    await act(world, leftovers[0]!.repair!.operation, leftovers[0]!.repair!.params)
    await act(world, 'storlink.clean', { storlink })
    const files = Object.keys(world.site.filesOn('xen1')).filter((file) => file.startsWith('/data/'))
    expect(files).toContain(path)
    expect(files).toContain(OTHERS)
    expect(files.filter((file) => /\.(new|parts|aside)/.test(file))).toEqual([])
    expect(await refusalOf(world, 'storlink.clean', { storlink })).toContain('there is nothing on data')
    expect(await refusalOf(world, 'storlink.clean', { storlink, paths: [OTHERS] })).toContain('another pengx')
    expect(await refusalOf(world, 'storlink.clean', { storlink, paths: [path] })).toContain('disk xvda of VM fresh')
  })

  test('what a job has made that was taken back, where its removals were lost, and all that lies on it', async () => {
    const storlink = await makeStorlink(world)
    world.site.faults.add({ match: 'tee /etc/xen/pengx', effect: { kind: 'failBefore' } })
    world.site.faults.add({ match: /^dd of=\/etc\/xen\/pengx/, effect: { kind: 'failBefore' } })
    world.site.faults.add({ match: /^rm -f \/data\//, times: 20, effect: { kind: 'lie' } })
    const { engine } = world
    const started = await engine.start('vm.create', engine.decode('vm.create', { ...NEW_VM, storlink }), 'cli')
    expect((await engine.finished(started.id)).job.state).toBe('undone')
    world.site.faults.clear()
    const left = (await engine.verify()).volumes.filter(({ path }) => readName(path).ours)
    expect(left.map(({ of, reason }) => `${of}: ${reason}`)).toEqual([
      'leftover: job 2 (vm.create) has made it and was taken back',
      'leftover: job 2 (vm.create) has made it and was taken back',
    ])
    await image(OTHERS, '-b', left[0]!.path, '-F', 'qcow2')
    const unreadable = { kind: 'failBefore', exit: 1, stderr: 'qemu-img: Could not open: Permission denied\n' } as const
    world.site.faults.add({ match: /^qemu-img info .*0d600000/, times: 9, effect: unreadable })
    expect(await classOf(left[0]!.path)).toBe(`used: ${OTHERS} cannot be read, and may lie on it`)
    world.site.faults.clear()
    expect(await classOf(left[0]!.path)).toBe(`used: ${OTHERS} lies on it`)
    await act(world, 'storlink.clean', { storlink })
    expect(await classOf(left[1]!.path)).toBe('it is not there')
    expect(await classOf(left[0]!.path)).toBe(`used: ${OTHERS} lies on it`)
  })

  test('a claim of a domain that is gone on a volume that is gone, just as it was read', async () => {
    const vm = await startVm(world)
    const storlink = vm.disks[0]!.storlink!
    const gone = '/data/gone.qcow2.claim'
    await sh(['ln', '-s', await claimOn(vm.disks[0]!.path), gone])
    await act(world, 'vm.poweroff', { vm: vm.uuid })
    expect(await classOf(gone)).toStartWith('leftover: a claim on a volume that is gone')
    await act(world, 'storlink.clean', { storlink, paths: [gone] })
    expect(await classOf(gone)).toBe('it is not there')
  })

  test('logical volumes that were never whole', async () => {
    const pm = pmNamed(world)
    await act(world, 'storlink.create', { name: 'fast', link: '/dev/vg-fast', type: 'LO', level: 'BL', pm })
    const [{ id: storlink }] = world.engine.view.storlinks() as unknown as [{ id: number }]
    await act(world, 'vm.create', { ...NEW_VM, storlink })
    const { path } = world.engine.view.needVm(NEW_VM.uuid).disks[0]!
    const name = path.slice('/dev/vg-fast/'.length)
    for (const ending of ['.new', '.part0', '.aside'])
      await sh(['lvcreate', '-y', '-qq', '-n', `${name}${ending}`, '-L', '64m', 'vg-fast'])
    await sh(['lvcreate', '-y', '-qq', '-n', 'root', '-L', '64m', 'vg-fast'])
    const { volumes } = await world.engine.verify()
    const told = volumes.map((one) => [one.path.slice('/dev/vg-fast/'.length), one.of])
    expect(told).toContainEqual([name, 'known'])
    expect(told).toContainEqual([`${name}.aside`, 'known'])
    expect(told).toContainEqual([`${name}.new`, 'leftover'])
    expect(told).toContainEqual([`${name}.part0`, 'leftover'])
    expect(told).toContainEqual(['root', 'foreign'])
    await act(world, 'storlink.clean', { storlink })
    expect(await classOf(`${path}.new`)).toBe('it is not there')
    expect(await classOf(`${path}.part0`)).toBe('it is not there')
    expect(await classOf(`${path}.aside`)).toStartWith('known: set aside')
  })

  test('names tell what a crash has left', () => {
    const uuid = '0d600000-0000-4000-8000-000000000001'
    const read = (path: string) => {
      const { base, stage, ours } = readName(path)
      return [base, stage, ours]
    }
    const file = `/d/${uuid}.qcow2`
    expect(read(file)).toEqual([file, 'volume', true])
    expect(read(`${file}.new`)).toEqual([file, 'draft', true])
    expect(read(`${file}.parts`)).toEqual([file, 'draft', true])
    expect(read(`${file}.aside`)).toEqual([file, 'aside', true])
    expect(read(`${file}.new.aside`)).toEqual([file, 'draft', true])
    expect(read(`/d/.${uuid}.backup.json.new`)).toEqual([`/d/${uuid}.backup.json`, 'draft', true])
    expect(read(`/d/${uuid}.seed.iso`)).toEqual([`/d/${uuid}.seed.iso`, 'volume', true])
    expect(read(`/dev/vg/pengx-${uuid}.part12`)).toEqual([`/dev/vg/pengx-${uuid}`, 'draft', true])
    expect(read(`/dev/vg/${uuid}.raw`)[2]).toBe(false)
    expect(read('/d/web.qcow2.new')[2]).toBe(false)
  })
})

const ALL = [...VM_CASES, ...DEVICE_CASES, ...SNAPSHOT_CASES, ...BACKUP_CASES]
const KILLED = ['vm.create', 'vm.delete', 'disk.create', 'snapshot.create', 'backup.create'].map(
  (operation) => ALL.find((one) => one.operation === operation)!,
)

describe.each(KILLED.map((one) => [one.operation, one] as const))('killed within %s', (_name, one) => {
  test('and taken up again, it leaves nothing that nobody knows', async () => {
    const trials = openTrials(one)
    try {
      const steps = await stepsOf(one, trials)
      const kills = openKills(one, trials, { index: steps.names.length - 1, phase: 'after' })
      for (const index of steps.names.keys()) {
        const points = [{ index, phase: 'before' as const }, ...(await kills.within(index))]
        for (const point of points) {
          const { place } = await kills.at(point)
          const next = await openWorld({ ...one.config }, place)
          try {
            const job = next.engine.view.jobs().find(({ operation }) => operation === one.operation)!
            const end = await next.engine.finished(job.id)
            const { volumes, findings } = await next.engine.verify()
            const odd = volumes
              .filter(({ of }) => of !== 'known' && of !== 'foreign')
              .map(({ path, reason }) => ({ path, reason }))
            // who has been adopted while it ran gets its claims from who watches
            const told = findings.filter(({ code }) => code !== 'JOB_STUCK' && code !== 'CLAIM_MISSING')
            // whose disks stay after a deletion is for nobody here to tell
            expect({ point, state: end.job.state, odd, told }).toEqual({
              point,
              state: end.job.state,
              odd: [],
              told: [],
            })
          } finally {
            await next.close()
          }
        }
      }
    } finally {
      trials.close()
    }
  }, 120_000)
})
