import { expect } from 'bun:test'
import { run } from '../../../../src/engine/host/run.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import type { World } from '../../../support/sites/world.ts'

/** Keys spread over a site of two PMs: one has a file with lines of its own, the other nothing at all. */
const KEY = `ssh-ed25519 ${'A'.repeat(68)} root@xen1`
const FOREIGN = `# mine\nssh-rsa ${'B'.repeat(200)} me@desk`
const PATH = '/root/.ssh/authorized_keys'

async function put(world: World, path: string, text: string): Promise<void> {
  await run(world.site.host('xen1'), { argv: ['tee', path], effect: 'change', stdin: text })
}

async function read(world: World, pm: string): Promise<string> {
  return (await run(world.site.host(pm), { argv: ['cat', PATH], effect: 'read', okExits: [0, 1] })).stdout
}

async function prepare(world: World): Promise<void> {
  await run(world.site.host('xen1'), { argv: ['mkdir', '-p', '-m', '755', '/root/.ssh'], effect: 'change' })
  await put(world, '/root/.ssh/id_ed25519', 'private\n')
  await put(world, '/root/.ssh/id_ed25519.pub', `${KEY}\n`)
  await put(world, PATH, FOREIGN)
}

export const KEY_CASES: readonly OperationCase[] = [
  {
    operation: 'pm.spreadKeys',
    variant: 'one PM has no key',
    async prepare(world) {
      await prepare(world)
      return {}
    },
    async check(world) {
      const block = (await read(world, 'xen1')).slice(FOREIGN.length + 1)
      expect(await read(world, 'xen1')).toStartWith(`${FOREIGN}\n# pengx: keys of this site, begin\n`)
      expect(await read(world, 'xen2')).toBe(block)
      expect(block.split('\n').filter((line) => line.startsWith('ssh-'))).toEqual([KEY])
      expect(world.site.filesOn('xen2')[PATH]).toContain('mode 600')
      expect(world.site.filesOn('xen1')['/root/.ssh']).toBe('directory 700')
    },
  },
  {
    operation: 'pm.spreadKeys',
    variant: 'missing keys are made',
    async prepare(world) {
      await prepare(world)
      return { create: true }
    },
    async check(world) {
      const keys = (await read(world, 'xen2')).split('\n').filter((line) => line.startsWith('ssh-'))
      expect(keys).toEqual([KEY, expect.stringContaining(' xen2 pengx-')])
      expect(await read(world, 'xen1')).toBe(`${FOREIGN}\n${await read(world, 'xen2')}`)
      expect(world.site.filesOn('xen2')['/root/.ssh/id_ed25519']).toContain('mode 600')
    },
  },
]
