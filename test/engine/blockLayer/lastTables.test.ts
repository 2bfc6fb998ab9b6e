import { afterEach, beforeEach, expect, test } from 'bun:test'
import { PengxError } from '../../../src/model/error.ts'
import type { NumberedGuest } from '../../support/programs/numberedGuest.ts'
import type { RealQemu } from '../../support/programs/realQemu.ts'
import { copyChanges, copyDisks, createImages, failureOf, imagesOf, openTwoDisks } from './bench.ts'

/** QEMU writes an image's last tables when it closes it, and tells nobody where that fails. */

let qemu: RealQemu
let guest: NumberedGuest
beforeEach(async () => {
  qemu = await openTwoDisks()
  guest = await qemu.guest()
  await guest.write(6)
})
afterEach(() => qemu.close())

test.each([
  ['a copy', (name: string) => copyDisks(qemu, name)],
  ['a moment that is copied', (name: string) => copyChanges(qemu, name)],
] as const)('whichever write of %s fails, its last table too, it is said not to be good, or is', async (_, copy) => {
  await guest.flush()
  const now = guest.now()
  const outcomes: string[] = []
  for (let afterWrites = 0; !outcomes.join(' ').endsWith('good good'); afterWrites++) {
    const name = `pengx-${afterWrites}`
    await createImages(qemu.host, qemu.dir, name)
    // The first of two: what becomes of the other is not what is told.
    qemu.failing(imagesOf(qemu.dir, name)[0]!.path, { errno: 'ENOSPC', afterWrites })
    const failure = await failureOf(copy(name))
    if (failure instanceof PengxError) outcomes.push(failure.code)
    else outcomes.push(guest.momentOf(imagesOf(qemu.dir, name), now, now) === now ? 'good' : 'wrong')
  }
  expect(new Set(outcomes.slice(0, -2))).toEqual(new Set(['noSpace']))
})
