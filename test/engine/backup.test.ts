import { beforeEach, expect, test } from 'bun:test'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { openSimLab, type SimLab } from '../support/sites/simLab.ts'

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab(['pv1'])
  for (const disk of ['a', 'b']) await lab.sh(`qemu-img create -q -f qcow2 /lab/img/copy-${disk}.qcow2 64M`)
})

const DOMID = 2
const disks = (['a', 'b'] as const).map((disk) => ({
  vdev: `xvd${disk}`,
  path: `/lab/img/pv1-${disk}.qcow2`,
  target: { path: `/lab/img/copy-${disk}.qcow2`, format: 'qcow2' as const },
}))
const way = (more: object = {}) => ({
  name: 'pengx-1a2b3c4d',
  bytesPerSecond: 0,
  clock: lab.clock,
  onProgress: () => undefined,
  ...more,
})
const domain = () => lab.site.pm('xen1').domains.find((one) => one.domid === DOMID)!

test('copies all disks of a guest that runs, and leaves nothing in its QEMU', async () => {
  expect(await xen.refuseBackup(lab.host, DOMID, disks)).toBeUndefined()
  await xen.backupDisks(lab.host, DOMID, disks, way())
  await xen.backupDisks(lab.host, DOMID, disks, way())
  expect([domain().blockJobs, domain().addedNodes]).toEqual([[], []])
  expect(domain().phase).toBe('up')
})

test('an attempt that was given up is taken away; its name may be used again', async () => {
  const stop = new AbortController()
  const pm = lab.site.pm('xen1')
  // A disk with something in it, so that the copy takes its time.
  await lab.sh('fallocate -l 2G /lab/img/pv1-a.qcow2')
  const node = pm.root.children.lab
  if (node?.kind !== 'dir') throw new Error('/lab is gone')
  const images = node.children.img
  if (images?.kind !== 'dir') throw new Error('/lab/img is gone')
  Object.assign(images.children['pv1-a.qcow2']!, { image: { format: 'qcow2', virtualSize: 64 * 1024 * 1024 } })
  const sleep = lab.clock.sleep.bind(lab.clock)
  const clock = {
    ...lab.clock,
    async sleep(ms: number, signal?: AbortSignal) {
      stop.abort(new Error('enough'))
      await sleep(ms, signal)
    },
  }
  await expect(xen.backupDisks(lab.host, DOMID, disks, way({ clock, signal: stop.signal }))).rejects.toThrow()
  expect(domain().blockJobs).toHaveLength(2)
  await xen.cancelJobs(lab.host, DOMID, way())
  expect([domain().blockJobs, domain().addedNodes]).toEqual([[], []])
  await xen.cancelJobs(lab.host, DOMID, way())
})

test('a disk that QEMU does not have is named, and so is a target of another size', async () => {
  const [first, second] = disks
  const strange = { ...second!, path: '/lab/img/other.qcow2' }
  expect(await xen.refuseBackup(lab.host, DOMID, [first!, strange])).toContain('xvdb (/lab/img/other.qcow2)')
  await lab.sh('qemu-img resize -q /lab/img/copy-b.qcow2 128M')
  await expect(xen.backupDisks(lab.host, DOMID, disks, way())).rejects.toThrow('different sizes')
  await xen.cancelJobs(lab.host, DOMID, way())
  expect(domain().addedNodes).toEqual([])
  expect(await xen.refuseBackup(lab.host, 99, disks)).toContain('xvda')
})
