import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { newPage, readSample, writeSample } from '../../../src/engine/store/memory/perfPages.ts'
import { PERF_FIELDS, type PerfSample } from '../../../src/model/perf.ts'
import { aPm, aVm, newPlace } from './samples.ts'

/** How many samples of a PM or VM are kept. */
const RING_SIZE = 360

const START = 1_790_000_000_000

function aSample(index: number): PerfSample {
  return { at: START + index * 2_000, cpuPercent: index, memoryMib: 512, rxBytes: index * 1_000 }
}

test('a sample on a page is what it was to 0.03 percent, and what was unknown stays unknown', () => {
  const value = fc.option(fc.double({ min: 0, max: 1e12, noNaN: true }), { nil: undefined })
  const fields = fc.record(Object.fromEntries(PERF_FIELDS.map((field) => [field, value])))
  fc.assert(
    fc.property(fc.nat(1_000_000_000), fc.nat(35), fields, (seconds, slot, values) => {
      const page = newPage()
      writeSample(page, slot, { at: START - 85_000_000_000 + seconds * 100, ...values })
      const back = readSample(page, slot)!
      expect(back.at).toBe(START - 85_000_000_000 + seconds * 100)
      for (const field of PERF_FIELDS) {
        const before = values[field]
        if (before === undefined) expect(back[field]).toBeUndefined()
        else expect(Math.abs(back[field]! - before)).toBeLessThanOrEqual((1 + before) * 0.0003)
      }
    }),
  )
})

test('the newest is exact, the history one ring, oldest first', async () => {
  await using place = newPlace()
  const { perf, view } = await place.open()
  expect(view.rates('vm')).toBeUndefined()
  expect(view.history('vm')).toEqual([])
  for (let index = 0; index < RING_SIZE + 50; index++) perf.add('vm', aSample(index))
  expect(view.rates('vm')).toEqual(aSample(RING_SIZE + 49))
  const history = view.history('vm')
  expect(history.map((sample) => sample.at)).toEqual(
    Array.from({ length: RING_SIZE }, (_, index) => aSample(index + 50).at),
  )
  expect(history[0]!.readBytes).toBeUndefined()
  expect(view.history('vm')).toBe(history)
})

test('what was saved comes before what was added since, and goes with its VM', async () => {
  await using place = newPlace()
  const first = await place.open()
  const pm = aPm()
  const vm = aVm(pm.uuid)
  await first.inventory.putPm(pm)
  await first.inventory.putVm(vm)
  for (let index = 0; index < 400; index++) first.perf.add(vm.uuid, aSample(index))
  await first.close()

  const second = await place.open()
  expect(second.view.history(vm.uuid)).toEqual([])
  second.perf.add(vm.uuid, aSample(400))
  second.perf.add(vm.uuid, aSample(401))
  await second.perf.load()
  const times = (from: number) => Array.from({ length: RING_SIZE }, (_, index) => aSample(from + index).at)
  expect(second.view.history(vm.uuid).map((sample) => sample.at)).toEqual(times(42))
  expect(second.view.rates(vm.uuid)).toEqual(aSample(401))
  for (let index = 402; index < 450; index++) second.perf.add(vm.uuid, aSample(index))
  await second.close()

  const third = await place.open()
  await third.perf.load()
  expect(third.view.history(vm.uuid).map((sample) => sample.at)).toEqual(times(90))
  await third.inventory.dropVm(vm.uuid)
  await third.perf.save()
  expect(third.view.history(vm.uuid)).toEqual([])
  await third.close()
  const fourth = await place.open()
  await fourth.inventory.putVm(vm)
  await fourth.perf.load()
  expect(fourth.view.history(vm.uuid)).toEqual([])
})
