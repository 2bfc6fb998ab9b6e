import { expect, test } from 'bun:test'
import { nearest } from '../src/lib/near.ts'
import { addTallies, formatTally, readBunTally, readClosingTally } from './support/tally.ts'

/** What the closing line of a suite says must be what happened. */
test('a run of tests is counted', () => {
  expect(readBunTally('(pass) x\n\n 12 pass\n 2 skip\n 3 fail\n 44 expect() calls\n', 1)).toEqual({
    passed: 12,
    failed: 3,
  })
  expect(readBunTally(' 12 pass\n 0 fail\n', 0)).toEqual({ passed: 12, failed: 0 })
  expect(readBunTally(' 12 pass\n 0 fail\n 1 error\n', 1)).toEqual({ passed: 12, failed: 1 })
})

test('a run that broke off is a failure', () => {
  expect(readBunTally('(pass) x\npanic', 132)).toEqual({ passed: 0, failed: 1 })
  expect(readBunTally(' 12 pass\n 0 fail\n', 1)).toEqual({ passed: 12, failed: 1 })
})

test('closing lines add up', () => {
  expect(
    formatTally(
      addTallies([
        { passed: 1, failed: 0 },
        { passed: 2, failed: 3 },
      ]),
    ),
  ).toBe('3 passed, 3 failed')
})

test('a mistyped word is near what was meant, and a foreign one is near nothing', () => {
  const words = ['pms', 'vms', 'jobs', 'perf', 'vm.start', 'vm.shutdown']
  expect(nearest('vsm', words)).toBe('vms')
  expect(nearest('VM.STRAT', words)).toBe('vm.start')
  expect(nearest('job', words)).toBe('jobs')
  expect(nearest('xen1', words)).toBeUndefined()
  expect(nearest('', words)).toBeUndefined()
})

test('a suite is counted by its last line', () => {
  expect(readClosingTally('1 passed, 0 failed\nwords\n12 passed, 3 failed\n')).toEqual({ passed: 12, failed: 3 })
  expect(readClosingTally('so 1 passed, 0 failed\n')).toBeUndefined()
})
