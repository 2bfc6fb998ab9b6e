import { describe, expect, test } from 'bun:test'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { openResting } from '../support/sites/hypervisorSite.ts'

describe('what is there is what is said', () => {
  const TAG = 'test.0'
  const COMPLAINT = { kind: 'failAfter', stderr: 'libxl: error: libxl_x.c:1:x: Domain 1:no\n' } as const

  test('an xl that complains has done it, where it is done', async () => {
    const { site, host, create, state } = await openResting(TAG)
    site.faults.add({ match: 'xl create', effect: COMPLAINT })
    const { domid } = await create()
    const acts = [
      [xen.pause, 'xl pause', 'paused'],
      [xen.unpause, 'xl unpause', 'running'],
      [xen.shutdown, 'xl shutdown', undefined],
    ] as const
    for (const [act, match, becomes] of acts) {
      site.faults.add({ match, effect: COMPLAINT })
      await act(host, domid, TAG)
      expect(await state()).toBe(becomes)
    }
    const next = await create()
    site.faults.add({ match: 'xl destroy', effect: COMPLAINT })
    await xen.destroy(host, next.domid, TAG)
    expect(await state()).toBeUndefined()
  })

  test('a domain that xl tells nothing of is not one that is gone', async () => {
    const { site, host, create } = await openResting(TAG)
    const { domid } = await create()
    const stderr = 'libxl: error: libxl_json.c:1:x: no configuration\n'
    site.faults.add({ match: 'xl list -l', effect: { kind: 'failBefore', stderr } })
    await expect(xen.details(host, [domid])).rejects.toMatchObject({
      code: 'commandFailed',
      message: expect.stringContaining(`cannot read what domain ${domid} of xen1 was built from`),
    })
    expect(await xen.details(host, [domid, 31_000])).toHaveLength(1)
  })

  test('an xl whose connection was lost has done it, where it is done', async () => {
    const { site, host, create, state } = await openResting(TAG)
    const { domid } = await create()
    site.faults.add({ match: 'xl pause', effect: { kind: 'lostBefore' } })
    await expect(xen.pause(host, domid, TAG)).rejects.toMatchObject({ code: 'unreachable' })
    site.faults.add({ match: 'xl pause', effect: { kind: 'lostAfter' } })
    await xen.pause(host, domid, TAG)
    expect(await state()).toBe('paused')
    site.faults.add({ match: 'xl destroy', effect: { kind: 'lostAfter' } })
    await xen.destroy(host, domid, TAG)
    expect(await state()).toBeUndefined()
  })

  test('an xl that is content has not done it, where it is not', async () => {
    const { site, host, create, state } = await openResting(TAG)
    const { domid } = await create()
    for (const [act, match, words] of [
      [xen.destroy, 'xl destroy', /cannot destroy domain \d+ on xen1: xl was content, and it is running/],
      [xen.pause, 'xl pause', /cannot pause domain \d+ on xen1: xl was content, and it is running/],
    ] as const) {
      site.faults.add({ match, effect: { kind: 'lie' } })
      await expect(act(host, domid, TAG)).rejects.toMatchObject({
        code: 'commandFailed',
        message: expect.stringMatching(words),
      })
    }
    await xen.pause(host, domid, TAG)
    site.faults.add({ match: 'xl unpause', times: 8, effect: { kind: 'lie' } })
    await expect(xen.unpause(host, domid, TAG)).rejects.toMatchObject({
      message: expect.stringContaining('it is paused'),
    })
    expect(await state()).toBe('paused')
  })

  test('a half-built domain that an xl left is named, with what helps', async () => {
    const { site, name, create } = await openResting(TAG)
    const leaveHalf = (argv: readonly string[]) => {
      const isListed = argv[1] === 'list' && site.domain(name) !== undefined
      if (isListed) site.faults.leaveHalfBuilt(name)
      return isListed
    }
    site.faults.add({ match: leaveHalf, effect: { kind: 'slow', ms: 0 } })
    site.faults.add({ match: 'xl create', effect: COMPLAINT })
    await expect(create()).rejects.toMatchObject({
      message: expect.stringMatching(/of it is left \(broken\): power it off$/),
    })
  })
})
