import { expect, test } from 'bun:test'
import {
  activateVolume,
  changesMetadata,
  createVolume,
  deactivateVolume,
  isInUse,
  lockFailure,
  parseGroup,
  parseVolumes,
  refreshVolume,
  renameVolume,
  tagVolume,
  whyHidden,
} from '../../../src/engine/tools/lvm.ts'
import { retagVolumes } from '../../../src/engine/tools/lvmTags.ts'
import { transcript, transcripts } from '../../support/transcript.ts'

/** What lvm2 2.03.16 says of groups that are not, or not only, a host's own. */
const GROUPS = 'lvm-2.03-groups'
const [plain, plainVolumes, foreign, , exported, exportedVolumes, partial, noLockd, stopped, stoppedVolumes] =
  transcripts(GROUPS)
const [lvcreate, activated, nosuch] = transcripts(GROUPS).slice(10)

test('a group says what it is, and whether it is whole', () => {
  const whole = { name: 'pxlvma', extentBytes: 4194304, partial: false, exported: false }
  expect(parseGroup(plain!.stdout)).toMatchObject(whole)
  expect(parseGroup(plain!.stdout)?.lockType).toBeUndefined()
  expect(parseGroup(exported!.stdout)).toMatchObject({ ...whole, exported: true })
  expect(parseGroup(partial!.stdout)).toMatchObject({ name: 'pxlvmc', partial: true })
  expect(parseGroup(stopped!.stdout)).toMatchObject({ ...whole, lockType: 'sanlock' })
  expect(parseVolumes(plainVolumes!.stdout)[0]).toMatchObject({ name: 'a', open: false, tags: expect.any(Array) })
  expect(parseVolumes(stoppedVolumes!.stdout).map(({ lockType }) => lockType)).toEqual(['sanlock', 'sanlock'])
})

test('one that a host may not see says why, which one that is not there does not', () => {
  expect(parseGroup(foreign!.stdout)).toBeUndefined()
  expect(whyHidden(foreign!.stderr)).toEqual({ kind: 'foreign', systemId: 'otherhost' })
  expect(whyHidden(noLockd!.stderr)).toEqual({ kind: 'noLockd', lockType: 'sanlock' })
  expect(whyHidden(exportedVolumes!.stderr)).toEqual({ kind: 'exported' })
  expect(whyHidden(nosuch!.stderr)).toBeUndefined()
})

test('what lvmlockd does not give is told from what fails otherwise', () => {
  expect(lockFailure(lvcreate!.stderr)).toBe('noLock')
  expect(lockFailure(activated!.stderr)).toBe('noLock')
  // The words of lvm2 2.03.16 that this machine, which has no lock manager, does not bring about.
  expect(lockFailure('  Global lock failed: check that lvmlockd is running.\n')).toBe('noLock')
  expect(lockFailure('  VG san lock failed: lock start in progress\n')).toBe('noLock')
  expect(lockFailure('  LV san/a lock failed: lockspace is inactive\n')).toBe('noLock')
  expect(lockFailure('  LV locked by other host: san/a\n')).toBe('held')
  expect(lockFailure('  VG san lock failed: held by other host.\n')).toBe('held')
  expect(lockFailure(nosuch!.stderr)).toBeUndefined()
})

test('a volume that is open is told from one that is not there', () => {
  // lvm2 2.03.16 with a volume that something has open, and one that another machine has removed.
  expect(isInUse('  Logical volume san/x in use.\n')).toBe(true)
  expect(isInUse('  Logical volume san/x contains a filesystem in use.\n')).toBe(true)
  expect(isInUse('  Failed to find logical volume "san/gone"\n')).toBe(false)
})

test('tags are changed where another is not, or is', () => {
  const once = retagVolumes('pxlvma', ['a'], { add: ['pengx.claim', 'pengx.claim.one'], lacks: 'pengx.claim' })
  expect(once.argv.join(' ')).toBe(transcript('lvm-2.03-tags').command)
  const both = retagVolumes('pxlvma', ['a'], {
    add: ['pengx.claim.three'],
    lacks: 'pengx.claim.none',
    has: 'pengx.claim.one',
  })
  expect(both.argv.join(' ')).toBe(transcript('lvm-2.03-tags', 2).command)
})

test('what writes metadata is told from what only switches', () => {
  const asleep = createVolume({ group: 'g', name: 'a', bytes: 1, asleep: true })
  expect(asleep.argv.slice(3)).toEqual(['-n', 'a', '-an', '-Wn', '-Zn', '-L', '1b', 'g'])
  for (const program of [asleep, renameVolume('g', 'a', 'b'), tagVolume('g', 'a', 't', 'add')])
    expect(changesMetadata(program)).toBe(true)
  for (const program of [activateVolume('g', 'a', 'together'), deactivateVolume('g', 'a'), refreshVolume('g', 'a')])
    expect(changesMetadata(program)).toBe(false)
})
