import { expect } from 'bun:test'
import { run } from '../../../../src/engine/host/run.ts'
import type { Template } from '../../../../src/model/template.ts'
import type { OperationCase } from '../../../contract/operationCase.ts'
import { act, makeStorlink, makeVm } from '../../../support/sites/acts.ts'
import type { World } from '../../../support/sites/world.ts'

/** Templates, and VMs from them. */
const TEMPLATE = '77777777-2222-4333-8444-555555555555'
const IMAGE = 'bed05d84-7c44-4720-9588-57cbd8ecef8c'
const IMAGE_PATH = `/data/${IMAGE}.qcow2`
const FROM_TEMPLATE = '88888888-2222-4333-8444-555555555555'
const KEY = `ssh-ed25519 ${'A'.repeat(68)} me@desk`

async function makeImage(world: World): Promise<void> {
  const argv = ['qemu-img', 'create', '-q', '-f', 'qcow2', IMAGE_PATH, '512M'] as const
  await run(world.site.host('xen1'), { argv, effect: 'change' })
}

const modeOf = (world: World, path: string) => /mode (\d+)/.exec(world.site.filesOn('xen1')[path] ?? '')?.[1]
const template = (world: World): Template => world.engine.view.needTemplate(TEMPLATE)

const added = async (world: World) => {
  const storlink = await makeStorlink(world)
  await makeImage(world)
  return { name: 'debian12', os: 'DEBIAN', storlink, uuid: IMAGE, format: 'qcow2', template: TEMPLATE }
}
const makeTemplate = async (world: World) => {
  await act(world, 'template.add', await added(world))
  return { template: TEMPLATE }
}
const vmFrom = (more: object) => async (world: World) => {
  await makeTemplate(world)
  const base = { name: 'copy01', memory: 256, template: TEMPLATE, uuid: FROM_TEMPLATE }
  return { ...base, diskSize: 1024, bridges: 'xenbr0', ...more }
}
const made = (world: World) => world.engine.view.needVm(FROM_TEMPLATE)
const fileOf = (world: World, path: string) => world.site.filesOn('xen1')[path]
const fromVm = async (world: World) => {
  const vm = await makeVm(world)
  return { vm: vm.uuid, name: 'golden', storlink: world.engine.view.storlinks()[0]!.id, template: TEMPLATE }
}
const checkCopied = (world: World) => {
  expect(template(world).disks.map((disk) => disk.sizeMib)).toEqual([1024, 64])
  for (const { path, sizeMib } of template(world).disks)
    expect(fileOf(world, path)).toStartWith(`qcow2 image of ${sizeMib * 1048576} bytes, mode 444`)
}
export const TEMPLATE_CASES: readonly OperationCase[] = [
  {
    operation: 'template.add',
    prepare: added,
    check(world) {
      expect(template(world)).toMatchObject({ name: 'debian12', os: 'DEBIAN', disks: [{ uuid: IMAGE, sizeMib: 512 }] })
      expect(modeOf(world, IMAGE_PATH)).toBe('444')
    },
  },
  {
    operation: 'template.addNew',
    prepare: async (world) => ({
      name: 'empty',
      storlink: await makeStorlink(world),
      size: 2048,
      format: 'raw',
      template: TEMPLATE,
    }),
    check(world) {
      const [disk] = template(world).disks
      expect(fileOf(world, disk!.path)).toBe('raw image of 2147483648 bytes, mode 444')
    },
  },
  { operation: 'template.create', variant: 'of a VM that is shut down', prepare: fromVm, check: checkCopied },
  {
    operation: 'template.create',
    variant: 'of a VM that runs',
    async prepare(world) {
      const raw = await fromVm(world)
      await act(world, 'vm.start', { vm: raw.vm })
      return raw
    },
    check(world, raw) {
      checkCopied(world)
      expect(world.engine.view.needVm(String(raw.vm)).seen.state).toBe('running')
      for (const domain of world.site.pm('xen1').domains)
        expect([domain.blockJobs ?? [], domain.addedNodes ?? []]).toEqual([[], []])
    },
  },
  {
    operation: 'template.update',
    prepare: async (world) => ({ ...(await makeTemplate(world)), name: 'debian13', desc: 'new' }),
    check: (world) => expect(template(world)).toMatchObject({ name: 'debian13', desc: 'new', os: 'DEBIAN' }),
  },
  {
    operation: 'template.delete',
    prepare: makeTemplate,
    check(world) {
      expect(world.engine.view.templates()).toEqual([])
      expect(Object.keys(world.site.filesOn('xen1')).filter((path) => path.includes(IMAGE))).toEqual([])
    },
  },
  {
    operation: 'template.start',
    prepare: async (world) => ({ ...(await makeTemplate(world)), bridges: 'xenbr0', vncPassword: 'verysafe' }),
    check(world) {
      const vm = world.engine.view.needVm(TEMPLATE)
      expect(vm).toMatchObject({ template: TEMPLATE, disks: [{ path: IMAGE_PATH, owned: false }] })
      expect(['running', 'starting']).toContain(vm.seen.state)
      expect(modeOf(world, IMAGE_PATH)).toBe('644')
      expect(template(world).bootedAt).toBeGreaterThan(0)
    },
  },
  {
    operation: 'template.shutdown',
    async prepare(world) {
      await act(world, 'template.start', await makeTemplate(world))
      return { template: TEMPLATE }
    },
    check(world) {
      expect(world.engine.view.getVm(TEMPLATE)).toBeUndefined()
      expect(modeOf(world, IMAGE_PATH)).toBe('444')
      expect(fileOf(world, `/etc/xen/pengx/${TEMPLATE}.cfg`)).toBeUndefined()
    },
  },
  {
    operation: 'vm.create',
    variant: 'copied from a template, with a seed',
    prepare: vmFrom({ seedUser: 'admin', seedKey: KEY, seedAddress: '192.0.2.10/24,192.0.2.1' }),
    check(world) {
      const [disk, seed] = made(world).disks
      expect(made(world)).toMatchObject({ template: TEMPLATE, os: 'DEBIAN', osArch: 'X64', type: 'hvm' })
      expect(fileOf(world, disk!.path)).toBe('qcow2 image of 1073741824 bytes, mode 644')
      expect(seed).toMatchObject({ vdev: 'xvdz', readOnly: true, owned: true, path: `/data/${FROM_TEMPLATE}.seed.iso` })
      expect(fileOf(world, seed!.path)).toBeDefined()
    },
  },
  {
    operation: 'vm.create',
    variant: 'laid on a template',
    prepare: vmFrom({ overlay: true, extraDiskSize: 16 }),
    check(world) {
      const [disk, extra] = made(world).disks
      expect([disk?.base, disk?.sizeMib, extra?.base]).toEqual([IMAGE, 1024, undefined])
      expect(fileOf(world, disk!.path)).toBe(`qcow2 image of 1073741824 bytes, mode 644 on ${IMAGE_PATH}`)
    },
  },
]
