import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run } from '../../../src/engine/host/run.ts'
import { createVolume } from '../../../src/engine/tools/lvm.ts'
import { parseTags } from '../../../src/engine/tools/lvmTags.ts'
import { clearClaims, dropClaims, putClaims, readClaims } from '../../../src/engine/volumes/claims/claim.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import {
  type Claim,
  claimTag,
  formatClaim,
  judgeClaim,
  parseClaim,
  parseClaimTag,
} from '../../../src/model/storage/claim.ts'
import { writeText } from '../../../src/sim/machine/files.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'

const CLAIM: Claim = {
  vm: '11111111-2222-4333-8444-555555555555',
  vmName: "web 01's",
  pm: '99999999-2222-4333-8444-555555555555',
  pmName: 'xen1',
  domid: 7,
  bootId: '33333333-2222-4333-8444-555555555555',
  controller: 'desk.example.org',
  store: '77777777-2222-4333-8444-555555555555',
  at: 1_700_000_000_000,
}

describe('the text of a claim', () => {
  test('is read as it was written, as a line and as a tag', () => {
    expect(formatClaim(CLAIM)).not.toContain('\n')
    expect(parseClaim(formatClaim(CLAIM))).toEqual(CLAIM)
    expect(parseClaimTag(claimTag(CLAIM))).toEqual({ ...CLAIM, vmName: 'web_01_s' })
    const { vmName: _vm, pmName: _pm, ...unnamed } = CLAIM
    expect(parseClaimTag(claimTag(unnamed))).toEqual(unnamed)
    const { domid: _domid, ...building } = CLAIM
    expect(parseClaim(formatClaim(building))).toEqual(building)
    expect(parseClaimTag(claimTag({ ...building, controller: 'böse/host,x' }))?.controller).toBe('b_se_host_x')
  })

  test('as a tag has what LVM takes, and no more', () => {
    const long = 'ä'.repeat(2000)
    const tag = claimTag({ ...CLAIM, vmName: long, pmName: long, controller: long })
    expect(tag.length).toBeLessThanOrEqual(1024)
    expect(tag).toMatch(/^[A-Za-z0-9_+.\-/=!:&#]+$/)
  })

  test('that is none is told apart', () => {
    for (const text of ['', '{}', 'null', '7', '{"vm":1}', 'elsewhere/x']) expect(parseClaim(text)).toBeUndefined()
    expect(parseClaimTag('pengx.format=raw')).toBeUndefined()
    expect(parseClaimTag('pengx.claim=nonsense')).toBeUndefined()
  })
})

describe('a claim is worth', () => {
  const { domid: _domid, ...building } = CLAIM
  const soon = CLAIM.at + 60_000

  test('what the PM that it names shows', () => {
    const domains = [{ domid: 9, uuid: CLAIM.vm }]
    expect(judgeClaim(CLAIM, {}, soon)).toBe('unknown')
    expect(judgeClaim(CLAIM, { domains }, soon)).toBe('live')
    expect(judgeClaim(CLAIM, { domains: [{ domid: 9, uuid: 'x', ownUuid: CLAIM.vm }] }, soon)).toBe('live')
    expect(judgeClaim(CLAIM, { domains: [] }, soon)).toBe('stale')
  })

  test('something while its domain may be about to be built', () => {
    const look = { domains: [], bootId: CLAIM.bootId }
    expect(judgeClaim(building, look, soon)).toBe('building')
    expect(judgeClaim(building, { domains: [] }, soon)).toBe('building')
    expect(judgeClaim(building, look, soon, true)).toBe('stale')
    expect(judgeClaim(building, { ...look, bootId: 'another' }, soon)).toBe('stale')
    expect(judgeClaim(building, look, CLAIM.at + 31 * 60_000)).toBe('stale')
  })
})

/** What lvm2 2.03.16 answers where two of the volumes that are asked for are none; the words stand on stderr. */
const TAGS = `  {
      "report": [
          {
              "lv": [
                  {"vg_name":"vgclm", "lv_name":"pengx-a", "lv_tags":"pengx.claim=vm:11/pm:22/boot:1/by:h,pengx.claimed,pengx.format=raw"},
                  {"vg_name":"vgclm", "lv_name":"pengx-b", "lv_tags":""}
              ]
          }
      ]
  }
`

test('tags are read from what lvs says', () => {
  expect([...parseTags(TAGS)]).toEqual([
    ['vgclm/pengx-a', ['pengx.claim=vm:11/pm:22/boot:1/by:h', 'pengx.claimed', 'pengx.format=raw']],
    ['vgclm/pengx-b', []],
  ])
  expect(parseTags('').size).toBe(0)
})

const root = mkdtempSync(join(tmpdir(), 'pengx-claims-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

function simulated() {
  const site = createSimSite({ clock: createSkippingClock(), vmCount: 4, pmCount: 1, seed: 3, pace: 0 })
  const paths = ['/var/lib/xen/a.qcow2', "/var/lib/xen/it's b.raw"]
  for (const path of paths) writeText(site.pm('xen1'), path, '', 0)
  return { host: site.host('xen1'), paths }
}

function here() {
  const dir = mkdtempSync(join(root, 'place-'))
  const paths = [join(dir, 'a.qcow2'), join(dir, "it's b.raw")]
  for (const path of paths) writeFileSync(path, '')
  return { host: openLocalHost('here'), paths }
}

describe.each([
  ['this machine', here],
  ['the simulated one', simulated],
])('claims on files of %s', (_name, open) => {
  const other: Claim = { ...CLAIM, vm: '22222222-2222-4333-8444-555555555555', controller: 'other' }

  test('are put where there is none, read, replaced by what they say, and taken away', async () => {
    const { host, paths } = open()
    const puts = await putClaims(
      host,
      paths.map((path) => ({ path, claim: CLAIM })),
      { tag: 'job.0' },
    )
    expect(puts.map(({ isPut }) => isPut)).toEqual([true, true])
    expect(await readClaims(host, paths)).toEqual(
      paths.map((path) => ({ path, text: formatClaim(CLAIM), claim: CLAIM })),
    )

    const [refused] = await putClaims(host, [{ path: paths[0]!, claim: other }], { tag: 'job.0' })
    expect(refused).toMatchObject({ isPut: false, held: { claim: CLAIM }, problem: expect.stringContaining('exists') })
    const [again] = await putClaims(host, [{ path: paths[0]!, claim: CLAIM }], { tag: 'job.0' })
    expect(again?.isPut).toBe(true)

    const wrong = await putClaims(host, [{ path: paths[0]!, claim: other, instead: 'what was there' }], {
      tag: 'job.0',
    })
    expect(wrong[0]?.isPut).toBe(false)
    const right = await putClaims(host, [{ path: paths[0]!, claim: other, instead: formatClaim(CLAIM) }], {
      tag: 'job.0',
    })
    expect(right[0]).toMatchObject({ isPut: true, held: { claim: other } })

    const held = await readClaims(host, paths)
    await dropClaims(host, [{ path: paths[0]!, text: formatClaim(CLAIM) }], { tag: 'job.0' })
    expect(await readClaims(host, paths)).toEqual(held)
    await dropClaims(host, held, { tag: 'job.0' })
    expect(await readClaims(host, paths)).toEqual([])
  })

  test('are no images, and go with their volume', async () => {
    const { host, paths } = open()
    const [path] = paths
    await fileVolumes.remove(host, path!, 'job.0')
    await fileVolumes.create(host, path!, 'qcow2', 4, 'job.0')
    await putClaims(host, [{ path: path!, claim: CLAIM }], { tag: 'job.0' })
    expect(await fileVolumes.dependents(host, path!.replace('a.qcow2', 'below.qcow2'))).toEqual([])
    await fileVolumes.remove(host, path!, 'job.0')
    expect(await readClaims(host, paths)).toEqual([])
  })

  test('stand beside the file itself, by whatever link that is reached', async () => {
    const { host, paths } = open()
    const [path] = paths
    const link = `${dirname(path!)}/link.qcow2`
    await run(host, { argv: ['ln', '-s', path!, link], effect: 'change' })
    expect(await putClaims(host, [{ path: link, claim: CLAIM }])).toMatchObject([{ isPut: true }])
    const [held] = await readClaims(host, [path!])
    expect(held?.claim).toEqual(CLAIM)
    expect(await putClaims(host, [{ path: path!, claim: other }])).toMatchObject([{ isPut: false }])
    expect(await dropClaims(host, [{ ...held!, path: link }])).toEqual([])
    expect(await readClaims(host, paths)).toEqual([])
  })

  test('cannot be put where there is no such directory, and that is told', async () => {
    const { host } = open()
    const [put] = await putClaims(host, [{ path: '/nowhere/a.qcow2', claim: CLAIM }], { tag: 'job.0' })
    expect(put).toMatchObject({ isPut: false, problem: '/nowhere/a.qcow2 is not there' })
    expect(put?.held).toBeUndefined()
    expect(await putClaims(host, [{ path: '/dev/disk/by-id/x', claim: CLAIM }], { tag: 'job.0' })).toEqual([
      { path: '/dev/disk/by-id/x', isPut: false },
    ])
  })
})

test('those of hundreds of volumes are more than one command takes', async () => {
  const dir = mkdtempSync(join(root, 'many-'))
  const paths = Array.from({ length: 230 }, () => join(dir, `${newUuid()}.qcow2`))
  for (const path of paths) writeFileSync(path, '')
  const host = openLocalHost('here')
  const puts = await putClaims(
    host,
    paths.map((path) => ({ path, claim: CLAIM })),
  )
  expect(puts.filter(({ isPut }) => isPut)).toHaveLength(230)
  const held = await readClaims(host, paths)
  expect(held.map(({ path }) => path)).toEqual(paths)
  expect(await dropClaims(host, held)).toEqual([])
  expect(await readClaims(host, paths)).toEqual([])
}, 60_000)

test('of many who put, replace or take away a claim at once one succeeds', async () => {
  const { host, paths } = here()
  const path = paths[0]!
  const racers = Array.from({ length: 12 }, (_, at): Claim => ({ ...CLAIM, controller: `racer${at}` }))
  const put = await Promise.all(racers.map((claim) => putClaims(host, [{ path, claim }], { tag: 'job.0' })))
  const [won] = put.flat().filter(({ isPut }) => isPut)
  expect(put.flat().filter(({ isPut }) => isPut)).toHaveLength(1)
  const instead = won!.held!.text
  const others = racers.filter((claim) => formatClaim(claim) !== instead)
  const swapped = await Promise.all(
    others.map((claim) => putClaims(host, [{ path, claim, instead }], { tag: 'job.0' })),
  )
  expect(swapped.flat().filter(({ isPut }) => isPut).length).toBeLessThanOrEqual(1)
  const [left] = await readClaims(host, [path])
  if (left!.text !== instead) expect(swapped.flat().find(({ isPut }) => isPut)?.held?.text).toBe(left!.text)
  expect(readdirSync(join(path, '..')).filter((name) => name.endsWith('.next'))).toEqual([])
})

test('what was cut off while it replaced a claim is in the way until it is cleared', async () => {
  const { host, paths } = here()
  const path = paths[0]!
  await putClaims(host, [{ path, claim: CLAIM }], { tag: 'job.0' })
  symlinkSync('half', `${path}.claim.next`)
  const [put] = await putClaims(host, [{ path, claim: { ...CLAIM, domid: 8 }, instead: formatClaim(CLAIM) }], {
    tag: 'job.0',
  })
  expect(put).toMatchObject({ isPut: false, problem: expect.stringContaining('File exists') })
  await clearClaims(host, await readClaims(host, [path]), { tag: 'job.0' })
  expect(readdirSync(join(path, '..')).filter((name) => name.includes('.claim'))).toEqual([])
})

test('a person reads it with ls', async () => {
  const { host, paths } = here()
  await putClaims(host, [{ path: paths[0]!, claim: CLAIM }], { tag: 'job.0' })
  expect(JSON.parse(readlinkSync(`${paths[0]}.claim`))).toMatchObject({ vmName: "web 01's", pmName: 'xen1', domid: 7 })
})

test('on logical volumes they are tags beside others, under either of a volume names', async () => {
  const site = createSimSite({ clock: createSkippingClock(), vmCount: 4, pmCount: 1, seed: 3, pace: 0 })
  const host = site.host('xen1')
  const group = site.pm('xen1').groups[0]!
  for (const name of ['pengx-a', 'pengx-b']) await run(host, createVolume({ group: group.name, name, bytes: 2 ** 22 }))
  const volumes = group.volumes.slice(-2)
  volumes[0]!.tags = ['pengx.format=raw']
  const [first, second] = volumes.map(({ name }) => `/dev/${group.name}/${name}`)
  const mapped = `/dev/mapper/${group.name.replaceAll('-', '--')}-${volumes[1]!.name.replaceAll('-', '--')}`
  const both = [first!, second!].map((path) => ({ path, claim: CLAIM }))
  expect((await putClaims(host, both, { tag: 'job.0' })).map(({ isPut }) => isPut)).toEqual([true, true])
  expect(volumes[0]!.tags).toEqual(['pengx.format=raw', 'pengx.claimed', claimTag(CLAIM)])
  expect(await readClaims(host, [mapped, '/dev/none/such'])).toMatchObject([{ path: mapped, text: claimTag(CLAIM) }])
  const none = ['/dev/drbd/0', `/dev/${group.name}/none`].map((path) => ({ path, claim: CLAIM }))
  expect(await putClaims(host, none, { tag: 'job.0' })).toEqual([
    { path: '/dev/drbd/0', isPut: false },
    { path: none[1]!.path, isPut: false, problem: `Failed to find logical volume "${group.name}/none"` },
  ])
  const other = { ...CLAIM, controller: 'other' }
  expect((await putClaims(host, [{ path: mapped, claim: other }], { tag: 'job.0' }))[0]?.isPut).toBe(false)
  const swap = { path: mapped, claim: other, instead: claimTag(CLAIM) }
  expect((await putClaims(host, [swap], { tag: 'job.0' }))[0]?.isPut).toBe(true)
  await dropClaims(host, await readClaims(host, [first!, second!]), { tag: 'job.0' })
  expect(volumes.map(({ tags }) => tags)).toEqual([['pengx.format=raw'], []])
})
