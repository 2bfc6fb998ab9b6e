import { describe, expect, test } from 'bun:test'
import { parseRbdClaim } from '../../../src/engine/tools/rbdClaims.ts'
import { putClaims, readClaims } from '../../../src/engine/volumes/claims/claim.ts'
import { type Claim, claimTag, parseClaimTag } from '../../../src/model/storage/claim.ts'
import { rbdImageOf } from '../../../src/model/storage/rbdImage.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { createSkippingClock } from '../../support/skippingClock.ts'

const CLAIM: Claim = {
  vm: '11111111-2222-4333-8444-555555555555',
  pm: '99999999-2222-4333-8444-555555555555',
  domid: 7,
  bootId: '33333333-2222-4333-8444-555555555555',
  controller: 'desk.example.org',
  store: '77777777-2222-4333-8444-555555555555',
  at: 1_700_000_000_000,
}

describe('an RBD image', () => {
  test('is told from the words by which QEMU knows it', () => {
    expect(rbdImageOf('rbd:vms/web')).toEqual({ pool: 'vms', namespace: '', image: 'web', options: [] })
    expect(
      rbdImageOf(String.raw`rbd:vms/dept/a\:b@now:id=xen:mon_host=10.0.0.1\:6789:conf=/etc/ceph/two.conf`),
    ).toEqual({
      pool: 'vms',
      namespace: 'dept',
      image: 'a:b',
      options: [
        ['id', 'xen'],
        ['mon_host', '10.0.0.1:6789'],
        ['conf', '/etc/ceph/two.conf'],
      ],
    })
    for (const path of ['/dev/rbd/vms/web', 'rbd:web', 'rbd:', 'rbd:a/b/c/d', 'rbd:/web', 'drbd:r0'])
      expect(rbdImageOf(path)).toBeUndefined()
  })

  test('has its claim as the cookie of a lock', () => {
    const printed = (lockers: readonly object[]) =>
      JSON.stringify({ name: 'pengx', type: lockers.length > 0 ? 'exclusive' : 'none', tag: '', lockers })
    const locker = { name: 'client.4120', cookie: claimTag(CLAIM), description: '', expiration: '0.000000' }
    expect(parseClaimTag(parseRbdClaim(`${printed([locker])}\n`)!)).toMatchObject({ vm: CLAIM.vm, domid: 7 })
    expect(parseRbdClaim(printed([]))).toBeUndefined()
    expect(parseRbdClaim('')).toBeUndefined()
  })

  test('can have none where there is no Ceph, and no other device is taken for one', async () => {
    const paths = ['rbd:vms/web', '/dev/rbd/vms/web', '/dev/rbd77', '/dev/rbd77p1', '/dev/null']
    const site = createSimSite({ clock: createSkippingClock(), vmCount: 4, pmCount: 1, seed: 3, pace: 0 })
    const puts = await putClaims(
      site.host('xen1'),
      paths.map((path) => ({ path, claim: CLAIM })),
      { tag: 'job.0' },
    )
    expect(puts).toEqual(paths.map((path) => ({ path, isPut: false })))
    expect(await readClaims(site.host('xen1'), paths)).toEqual([])
  })
})
