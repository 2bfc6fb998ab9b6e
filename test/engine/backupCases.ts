import { expect } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { storedMib } from '../../src/model/backup.ts'
import type { OperationCase } from '../contract/operation.ts'
import { act, makeVm, pmNamed } from '../support/acts.ts'
import type { World } from '../support/world.ts'

/** Backups: made, read back, removed. */
const BACKUP = '99999999-2222-4333-8444-555555555555'
const LATER = '99999999-3333-4333-8444-555555555555'

/** A storlink beside the one that the VM lies on. */
async function makePlace(world: World, level: 'FL' | 'BL' = 'FL'): Promise<number> {
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

const wanted = (level?: 'FL' | 'BL') => async (world: World) => {
  const vm = await makeVm(world)
  return { vm: vm.uuid, name: 'monday', storlink: await makePlace(world, level), backup: BACKUP, desc: 'weekly' }
}
const backedUp = (level?: 'FL' | 'BL') => async (world: World) => {
  const raw = await wanted(level)(world)
  await act(world, 'backup.create', raw)
  return raw
}
const filesOf = (world: World) => Object.keys(world.site.filesOn('xen1'))
const row = (world: World) => world.engine.view.needBackup(BACKUP)

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

export const BACKUP_CASES: readonly OperationCase[] = [
  { operation: 'backup.create', variant: 'of a VM that is shut down', prepare: wanted(), check: checkMade },
  { operation: 'backup.create', variant: 'onto logical volumes', prepare: wanted('BL'), check: checkMade },
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
