import { afterEach, beforeEach, expect, test } from 'bun:test'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { run } from '../../../src/engine/host/run.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import type { Image } from '../../../src/engine/volumes/volumeDriver.ts'
import { layersOf, snapshotsOf, volumesOf } from '../../../src/model/layer.ts'
import type { Vm } from '../../../src/model/vm.ts'
import { act, NEW_VM } from '../../support/sites/acts.ts'
import { openRealDisks, type RealDisks } from '../../support/sites/realDisks.ts'

/**
 * Every snapshot that stays reads as it did, to the byte, whatever is taken, restored and deleted around it: real images,
 * compared by the real qemu-img with what was written to them, which is noted here.
 */

/** Half of a qcow2 image's cluster, so that what is streamed may hold half of one. */
const SLOT_KIB = 32
const SLOTS = 32

/** The byte that each slot holds, by disk. */
type Held = ReadonlyMap<string, readonly number[]>

/** A VM of that site whose disks are written to, with all that each of its layers has to hold. */
interface Written {
  readonly vm: string
  row(): Vm
  write(disk: number, slot: number, length: number, byte: number): Promise<void>
  snap(): Promise<void>
  /** By the layer's UUID. */
  restore(snapshot: string, keep: boolean): Promise<void>
  remove(snapshot: string): Promise<void>
  named(name: string): string
  /** Reads every volume, and looks that nothing else is in the directory. */
  prove(): Promise<void>
}

let site: RealDisks
beforeEach(async () => {
  site = await openRealDisks()
})
afterEach(async () => await site.close())

const qemu = async (program: string, ...rest: string[]) =>
  await run(site.host, { argv: [program, ...rest], effect: 'change' })

async function make(more: Readonly<Record<string, unknown>> = {}, held = 0): Promise<Written> {
  await act(site, 'vm.create', { ...NEW_VM, storlink: site.storlink, diskSize: 1, extraDiskSize: undefined, ...more })
  return written(NEW_VM.uuid, held)
}

const IMAGE = '99999999-5555-4333-8444-555555555555'
const TEMPLATE = '99999999-6666-4333-8444-555555555555'

/** The disk lies on a template's, which holds one byte all over. */
async function makeOnTemplate(): Promise<Written> {
  const path = join(site.dir, `${IMAGE}.qcow2`)
  await qemu('qemu-img', 'create', '-q', '-f', 'qcow2', path, '1M')
  await qemu('qemu-io', '-f', 'qcow2', '-c', 'write -P 119 0 1M', path)
  const raw = { name: 'debian12', storlink: site.storlink, uuid: IMAGE, template: TEMPLATE }
  await act(site, 'template.add', raw)
  return await make({ template: TEMPLATE, overlay: true, diskSize: undefined }, 119)
}

function written(vm: string, first: number): Written {
  const row = () => site.engine.view.needVm(vm)
  const empty = (byte: number) => Array.from({ length: SLOTS }, () => byte)
  const moments = new Map<string, Held>()
  let now: Map<string, readonly number[]> = new Map(row().disks.map(({ uuid }) => [uuid, empty(first)]))

  async function readsAs(image: Image, bytes: readonly number[]): Promise<boolean> {
    const reference = join(site.elsewhere, 'reference.raw')
    const whole = Buffer.alloc(SLOTS * SLOT_KIB * 1024)
    for (const [slot, byte] of bytes.entries()) whole.fill(byte, slot * SLOT_KIB * 1024, (slot + 1) * SLOT_KIB * 1024)
    writeFileSync(reference, whole)
    return await fileVolumes.compare(site.host, image, { path: reference, format: 'raw' })
  }

  return {
    vm,
    row,
    named: (name) => snapshotsOf(row()).find((one) => one.name === name)!.uuid,
    async write(index, slot, length, byte) {
      const { disks } = row()
      const { uuid, path, format } = disks[index % disks.length]!
      const end = Math.min(SLOTS, slot + length)
      const how = byte === 0 ? '-z' : `-P ${byte}`
      await qemu('qemu-io', '-f', format, '-c', `write ${how} ${slot * SLOT_KIB}k ${(end - slot) * SLOT_KIB}k`, path)
      const before = now.get(uuid) ?? empty(0)
      now = new Map([...now, [uuid, before.map((old, at) => (at >= slot && at < end ? byte : old))]])
    },
    async snap() {
      await act(site, 'snapshot.create', { vm, name: `S${layersOf(row()).length + moments.size}` })
      moments.set(row().layer!, now)
    },
    async restore(snapshot, keep) {
      await act(site, 'snapshot.restore', { vm, snapshot, keep })
      if (keep) moments.set(layersOf(row()).at(-1)!.uuid, now)
      now = new Map(moments.get(snapshot)!)
    },
    remove: (snapshot) => act(site, 'snapshot.delete', { vm, snapshot }),
    async prove() {
      const wrong: string[] = []
      const check = async (volume: Image & { readonly vdev: string }, held: Held, disk: string, what: string) => {
        if (!(await readsAs(volume, held.get(disk) ?? empty(0)))) wrong.push(`${volume.vdev} of ${what}`)
      }
      for (const disk of row().disks) await check(disk, now, disk.uuid, 'what it holds now')
      for (const layer of layersOf(row())) {
        for (const volume of layer.volumes) {
          await check(volume, moments.get(layer.uuid)!, volume.disk, layer.name ?? 'what nobody lists')
        }
      }
      expect(wrong).toEqual([])
      const files = readdirSync(site.dir).filter((name) => !name.startsWith('.') && name !== `${IMAGE}.qcow2`)
      const known = volumesOf(row()).map(({ path }) => path)
      expect(files.map((name) => join(site.dir, name)).sort()).toEqual(known.sort())
    },
  }
}

/** The steps that an operation takes. */
async function stepsOf(operation: string, raw: Readonly<Record<string, unknown>>): Promise<readonly string[]> {
  const { steps } = await site.engine.preview(operation, site.engine.decode(operation, raw))
  return steps.map(({ name }) => name)
}

/** The last snapshot of that VM and the layer below it, which nobody lists, go together. */
async function towards(vm: Written): Promise<string> {
  await vm.write(0, 0, 9, 0xa0)
  await vm.write(1, 4, 9, 0xa1)
  await vm.snap()
  const first = snapshotsOf(vm.row())[0]!
  await vm.write(0, 5, 9, 0xb0)
  await vm.write(1, 10, 9, 0xb1)
  await vm.snap()
  const second = snapshotsOf(vm.row())[1]!.uuid
  await vm.write(0, 11, 9, 0xc0)
  await vm.restore(first.uuid, true)
  await vm.write(0, 1, 1, 0xd0)
  await vm.remove(first.uuid)
  await vm.restore(second, false)
  await vm.write(0, 8, 5, 0xe0)
  await vm.remove(vm.named(`before restore of ${first.name}`))
  await vm.prove()
  return second
}

test.each([
  ['on nothing', () => make({ extraDiskSize: 1 }), ['xvda', 'xvdb'], undefined],
  ['on a template', makeOnTemplate, ['xvda'], IMAGE],
] as const)('two layers %s that go together are one stream a disk', async (_, begin, vdevs, base) => {
  const vm = await begin()
  const snapshot = await towards(vm)
  const { name } = snapshotsOf(vm.row())[0]!
  expect(await stepsOf('snapshot.delete', { vm: vm.vm, snapshot })).toEqual([
    ...vdevs.map((vdev) => `merge ${vdev} of ${name} and the layer 1 below`),
    `forget ${name}`,
    ...vdevs.map((vdev) => `remove ${vdev} of ${name}`),
    ...vdevs.map((vdev) => `remove ${vdev} of the layer 1 below`),
  ])
  await vm.remove(snapshot)
  await vm.prove()
  expect(vm.row().layers).toBeUndefined()
  expect(vm.row().disks[0]!.base).toBe(base)
})

test('what an attempt before has streamed, half of the way or all of it, is gone on from', async () => {
  const vm = await make({ extraDiskSize: 1 })
  const snapshot = await towards(vm)
  const [xvda, xvdb] = vm.row().disks
  const below = layersOf(vm.row()).find((layer) => layer.name === undefined)!
  await fileVolumes.rebase(site.host, xvda!.path, below.volumes.find((one) => one.vdev === 'xvda')!, 'attempt.0')
  await fileVolumes.rebase(site.host, xvdb!.path, undefined, 'attempt.0')
  await vm.remove(snapshot)
  await vm.prove()
  expect(vm.row().layers).toBeUndefined()
})

test.each([
  ['what is written to', (vm: Vm) => vm.disks[0]!],
  ['the upper layer that goes', (vm: Vm) => snapshotsOf(vm)[0]!.volumes[0]!],
] as const)('%s lies on a third image, as its header tells: nothing is merged', async (_, volumeOf) => {
  const vm = await make()
  const snapshot = await towards(vm)
  const { path } = volumeOf(vm.row())
  const third = join(site.elsewhere, 'third.raw')
  await qemu('qemu-img', 'create', '-q', '-f', 'raw', third, '1M')
  await qemu('qemu-img', 'rebase', '-u', '-f', 'qcow2', '-b', third, '-F', 'raw', path)
  await expect(stepsOf('snapshot.delete', { vm: vm.vm, snapshot })).rejects.toMatchObject({
    code: 'refused',
    message: expect.stringMatching(/third\.raw, as its header tells, .* nothing is merged$/),
  })
})

type Deed =
  | {
      readonly does: 'write'
      readonly disk: number
      readonly slot: number
      readonly length: number
      readonly byte: number
    }
  | { readonly does: 'snap' }
  | { readonly does: 'addDisk' }
  | { readonly does: 'dropDisk' }
  | { readonly does: 'restore'; readonly which: number; readonly keep: boolean }
  | { readonly does: 'remove'; readonly which: number }

const DEEDS: fc.Arbitrary<Deed> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      does: fc.constant('write' as const),
      disk: fc.nat(2),
      slot: fc.nat(SLOTS - 1),
      length: fc.integer({ min: 1, max: 12 }),
      byte: fc.nat(255),
    }),
  },
  { weight: 4, arbitrary: fc.constant({ does: 'snap' as const }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('restore' as const), which: fc.nat(9), keep: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant('remove' as const), which: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.constant({ does: 'addDisk' as const }) },
  { weight: 1, arbitrary: fc.constant({ does: 'dropDisk' as const }) },
)

async function perform(vm: Written, deed: Deed): Promise<void> {
  const snapshots = snapshotsOf(vm.row())
  const last = vm.row().disks.at(-1)!
  if (deed.does === 'write') await vm.write(deed.disk, deed.slot, deed.length, deed.byte)
  else if (deed.does === 'snap') await vm.snap()
  else if (deed.does === 'addDisk') {
    if (vm.row().disks.length < 3) await act(site, 'disk.create', { vm: vm.vm, storlink: site.storlink, size: 1 })
  } else if (deed.does === 'dropDisk') {
    if (vm.row().disks.length > 1) await act(site, 'disk.delete', { vm: vm.vm, disk: last.uuid })
  } else {
    const chosen = snapshots[deed.which % snapshots.length]
    if (!chosen) return
    if (deed.does === 'restore') await vm.restore(chosen.uuid, deed.keep)
    else {
      await vm.remove(chosen.uuid)
      await vm.prove()
    }
  }
}

test('whatever is done in whatever order, on a template or on none, each snapshot reads as at its moment', async () => {
  await fc.assert(
    fc
      .asyncProperty(fc.boolean(), fc.array(DEEDS, { minLength: 12, maxLength: 24 }), async (onTemplate, deeds) => {
        const vm = onTemplate ? await makeOnTemplate() : await make()
        for (const deed of deeds) await perform(vm, deed)
        for (const { uuid } of snapshotsOf(vm.row())) await vm.remove(uuid)
        await vm.prove()
        expect(vm.row().layers).toBeUndefined()
        expect(vm.row().disks[0]?.base).toBe(onTemplate ? IMAGE : undefined)
      })
      .afterEach(async () => {
        await site.close()
        site = await openRealDisks()
      }),
    { numRuns: 4 },
  )
}, 60_000)
