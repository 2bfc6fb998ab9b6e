import { expect } from 'bun:test'
import type { OperationCase } from '../../contract/operationCase.ts'
import { makeStorlink, pmNamed } from '../../support/sites/acts.ts'
import type { World } from '../../support/sites/world.ts'

/** Storlinks: made of a directory and of a volume group, changed and forgotten. */
const only = (world: World) => world.engine.view.storlinks()

export const STORLINK_CASES: readonly OperationCase[] = [
  {
    operation: 'storlink.create',
    prepare: async (world) => ({ name: 'data', link: '/data/', type: 'LO', level: 'FL', pm: pmNamed(world) }),
    check(world) {
      expect(only(world)).toMatchObject([{ name: 'data', link: '/data', level: 'FL', shared: false }])
      expect(only(world)[0]!.freeMib).toBeWithin(1, only(world)[0]!.sizeMib)
    },
  },
  {
    operation: 'storlink.create',
    variant: 'a volume group',
    prepare: async (world) => ({ name: 'fast', link: 'vg-fast', type: 'FC', level: 'BL', pm: pmNamed(world) }),
    check(world) {
      const [storlink] = only(world)
      expect(storlink).toMatchObject({ name: 'fast', link: '/dev/vg-fast', type: 'FC', level: 'BL' })
      // its thin pool's, which is where new volumes go
      expect(storlink!.sizeMib).toBe(512 * 1024)
    },
  },
  {
    operation: 'storlink.update',
    prepare: async (world) => ({ storlink: await makeStorlink(world), name: 'renamed', desc: 'of VMs', shared: true }),
    check(world) {
      const kept = { link: '/data', type: 'LO', level: 'FL' }
      expect(only(world)).toMatchObject([{ name: 'renamed', desc: 'of VMs', shared: true, ...kept }])
    },
  },
  {
    operation: 'storlink.update',
    variant: 'to another place',
    prepare: async (world) => ({ storlink: await makeStorlink(world), link: '/dev/vg-fast', level: 'BL', type: 'ISC' }),
    check(world) {
      expect(only(world)).toMatchObject([{ name: 'data', link: '/dev/vg-fast', type: 'ISC', level: 'BL' }])
      expect(only(world)[0]!.sizeMib).toBe(512 * 1024)
    },
  },
  {
    operation: 'storlink.delete',
    prepare: async (world) => ({ storlink: await makeStorlink(world) }),
    check: (world) => expect(only(world)).toEqual([]),
  },
]
