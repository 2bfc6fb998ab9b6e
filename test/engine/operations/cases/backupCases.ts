import { expect } from 'bun:test'
import { run } from '../../../../src/engine/host/run.ts'
import { storedMib } from '../../../../src/model/backup.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, makeVm, NEW_VM, pmNamed, startVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'
import { makeFar } from './copyCases.ts'

/** Backups: made, read back, removed. */
export const BACKUP = '99999999-2222-4333-8444-555555555555'
export const ANEW = '99999999-4444-4333-8444-555555555555'
const LATER = '88888888-3333-4333-8444-555555555555'

/** A storlink beside the one that the VM lies on. */
export async function makePlace(world: World, level: 'FL' | 'BL' = 'FL'): Promise<number> {
  const place =
    level === 'FL'
      ? { name: 'backups', link: '/srv/backups', type: 'LO', level }
      : { name: 'vg', link: '/dev/vg-fast', type: 'LO', level }
  if (level === 'FL') await makeDirectory(world, place.link)
  await act(world, 'storlink.create', { ...place, pm: pmNamed(world) })
  return world.engine.view.storlinks().find((one) => one.name === place.name)!.id
}

async function makeDirectory(world: World, path: string): Promise<void> {
  await run(world.site.host('xen1'), { argv: ['mkdir', '-p', path], effect: 'change' })
}

async function move(world: World, from: string, to: string): Promise<void> {
  await run(world.site.host('xen1'), { argv: ['mv', from, to], effect: 'change' })
}

/** What a backup is asked for with: of a new VM that is shut down, onto a storlink of its own. */
export const wanted = (level?: 'FL' | 'BL') => async (world: World) => {
  const vm = await makeVm(world)
  return { vm: vm.uuid, name: 'monday', storlink: await makePlace(world, level), backup: BACKUP, desc: 'weekly' }
}
export const backedUp = (level?: 'FL' | 'BL') => async (world: World) => {
  const raw = await wanted(level)(world)
  await act(world, 'backup.create', raw)
  return raw
}
export const filesOf = (world: World) =>
  Object.keys(world.site.filesOn('xen1')).filter((path) => !path.endsWith('/.pengx-storlink'))
export const row = (world: World) => world.engine.view.needBackup(BACKUP)

function checkMade(world: World): void {
  const backup = row(world)
  expect(backup).toMatchObject({ name: 'monday', desc: 'weekly', kind: 'full', state: 'verified', depth: 0 })
  expect(backup.volumes.map((volume) => [volume.vdev, volume.sizeMib])).toEqual([
    ['xvda', 1024],
    ['xvdb', 64],
  ])
  expect(backup.spec.vnc).toEqual({ listen: '127.0.0.1' })
  expect(storedMib(backup)).toBeGreaterThan(0)
  for (const { path, sha256 } of backup.volumes) {
    expect(filesOf(world)).toContain(path)
    expect(sha256).toMatch(/^[0-9a-f]{64}$/)
  }
  const manifest = filesOf(world).find((path) => path.includes(BACKUP))!
  expect(world.site.filesOn('xen1')[manifest]).not.toContain('verysafe')
}

function checkGone(world: World): void {
  expect(world.engine.view.backups()).toEqual([])
  expect(filesOf(world).filter((path) => path.startsWith('/srv/backups/'))).toEqual([])
}

const running = (level?: 'FL' | 'BL') => async (world: World) => {
  const raw = await wanted(level)(world)
  await startVm(world, raw.vm)
  return raw
}
const domainOf = (world: World) => world.site.pm('xen1').domains.find((one) => one.uuid === NEW_VM.uuid)!

/** The guest was left alone, and of all that was done in its QEMU only what notes its writes is left. */
function checkRuns(world: World, noted: readonly string[]): void {
  const { phase, blockJobs = [], addedNodes = [], bitmaps = [], nbd } = domainOf(world)
  expect([phase, blockJobs, addedNodes]).toEqual(['up', [], []])
  expect(nbd?.exports ?? []).toEqual(nbd?.socket === '/run/theirs.sock' ? [{ id: 'theirs', node: 'x', name: 'x' }] : [])
  const names = noted.map((uuid) => `pengx-${uuid.slice(0, 8)}`)
  expect([...new Set(bitmaps.map((bitmap) => bitmap.name))]).toEqual(names)
  expect(filesOf(world).filter((path) => path.startsWith('/run/') && path.endsWith('.sock'))).toEqual([])
  const known = world.engine.view.vms().flatMap((vm) => vm.disks.map((disk) => disk.path))
  expect(
    filesOf(world).filter((path) => /^\/data\/[0-9a-f-]{36}\.(?!.*\.claim$)/.test(path) && !known.includes(path)),
  ).toEqual([])
}

export const BACKUP_CASES: readonly OperationCase[] = [
  { operation: 'backup.create', variant: 'of a VM that is shut down', prepare: wanted(), check: checkMade },
  { operation: 'backup.create', variant: 'onto logical volumes', prepare: wanted('BL'), check: checkMade },
  {
    operation: 'backup.create',
    variant: 'of a VM that runs, read while its QEMU holds the moment',
    async prepare(world) {
      // One before ends when a reader of what it shows leaves.
      world.site.pm('xen1').qemuVersion = [10, 0, 13]
      return await running()(world)
    },
    check(world) {
      checkMade(world)
      checkRuns(world, [BACKUP])
      expect(row(world)).toMatchObject({ live: true, fullBecause: 'there is no good backup on that storlink yet' })
    },
  },
  {
    operation: 'backup.create',
    variant: 'of a VM that runs, by a QEMU that shows something else already, onto logical volumes',
    async prepare(world) {
      world.site.pm('xen1').qemuVersion = [10, 0, 13]
      const raw = await running('BL')(world)
      domainOf(world).nbd = { socket: '/run/theirs.sock', exports: [{ id: 'theirs', node: 'x', name: 'x' }] }
      return { ...raw, incremental: 'no' }
    },
    check(world) {
      checkMade(world)
      checkRuns(world, [BACKUP])
      expect(row(world).fullBecause).toBeUndefined()
    },
  },
  {
    operation: 'backup.create',
    variant: 'of what a VM that runs has written since the last one',
    async prepare(world) {
      const raw = await running()(world)
      await act(world, 'backup.create', raw)
      return { ...raw, name: 'tuesday', backup: LATER }
    },
    check(world) {
      const later = world.engine.view.needBackup(LATER)
      expect(later).toMatchObject({ kind: 'incremental', parent: BACKUP, depth: 1, state: 'verified' })
      expect(later.createdAt).toBeGreaterThan(row(world).createdAt)
      expect(later.fullBecause).toBeUndefined()
      for (const volume of later.volumes) {
        const below = row(world).volumes.find((one) => one.disk === volume.disk)!.path
        expect(world.site.filesOn('xen1')[volume.path]).toContain(` on ${below}`)
      }
      checkRuns(world, [LATER])
    },
  },
  {
    operation: 'backup.create',
    variant: 'of what a VM that runs has written, onto a storlink of another PM',
    async prepare(world) {
      const vm = await makeVm(world)
      await startVm(world, vm.uuid)
      const raw = { vm: vm.uuid, name: 'monday', desc: 'weekly', storlink: await makeFar(world), backup: BACKUP }
      await act(world, 'backup.create', raw)
      return { ...raw, name: 'tuesday', backup: LATER }
    },
    check(world) {
      const files = world.site.filesOn('xen2')
      const later = world.engine.view.needBackup(LATER)
      expect(row(world)).toMatchObject({ kind: 'full', state: 'verified' })
      expect(later).toMatchObject({ kind: 'incremental', parent: BACKUP, state: 'verified' })
      for (const { disk, path } of later.volumes) {
        const below = row(world).volumes.find((one) => one.disk === disk)!.path
        expect(files[path]).toContain(` on ${below}`)
      }
      // Two volumes and a manifest each, and nothing of what was sent.
      const left = Object.keys(files).filter((path) => path.startsWith('/far/') && !path.endsWith('.pengx-storlink'))
      expect(left).toHaveLength(6)
      checkRuns(world, [LATER])
    },
  },
  {
    operation: 'backup.verify',
    async prepare(world) {
      await backedUp()(world)
      const { path } = row(world).volumes[1]!
      await move(world, path, `${path}.away`)
      const { id } = await world.engine.start('backup.verify', { backup: BACKUP }, 'cli')
      expect((await world.engine.finished(id)).job).toMatchObject({ state: 'undone', code: 'notFound' })
      expect(row(world).state).toBe('failed')
      expect(row(world).problem).toContain(path)
      await move(world, `${path}.away`, path)
      return { backup: BACKUP }
    },
    check: (world) => expect([row(world).state, row(world).problem]).toEqual(['verified', undefined]),
  },
  {
    operation: 'backup.delete',
    async prepare(world) {
      await backedUp()(world)
      return { backup: BACKUP }
    },
    check: checkGone,
  },
  {
    operation: 'backup.prune',
    async prepare(world) {
      const raw = await backedUp()(world)
      await act(world, 'backup.create', { ...raw, name: 'tuesday', backup: LATER })
      return { vm: raw.vm, storlink: raw.storlink, keepLast: 1, keepDaily: 0, keepWeekly: 0 }
    },
    check(world) {
      expect(world.engine.view.backups().map((backup) => backup.name)).toEqual(['tuesday'])
      expect(filesOf(world).filter((path) => path.startsWith('/srv/backups/'))).toHaveLength(3)
    },
  },
]
