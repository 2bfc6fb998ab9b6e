import { expect, test } from 'bun:test'
import { withQmp } from '../../src/engine/tools/qmp.ts'
import { findNode, freeBytes, mountOf, setAllocated } from '../../src/sim/machine/files.ts'
import { QMP_ACTIONS } from '../../src/sim/qmp/actions.ts'
import { QMP_COMMANDS } from '../../src/sim/qmp/commands.ts'
import { blockLayerSuite } from '../contract/blockLayer.ts'
import { blockMachineSuite } from '../contract/blockLayerMachine.ts'
import type { BlockLayerOptions, BlockLayerSite } from '../contract/blockLayerSite.ts'
import { openSimLab } from '../support/sites/simLab.ts'

/** What the simulated QEMU has been asked by the contract, and has done. */
const asked = new Set<string>()
const MIB = 1024 * 1024

async function openSimBlocks({ full }: BlockLayerOptions): Promise<BlockLayerSite> {
  const lab = await openSimLab([])
  const pm = lab.site.pm('xen1')
  const place = (image: string) => `/lab/img/${/^[ab]$/.test(image) ? `pv1-${image}` : image}.qcow2`
  const holds = (image: string, mib: number) => {
    const node = findNode(pm, place(image))
    if (node?.kind === 'file') setAllocated(pm, place(image), node, node.allocated + mib * MIB)
  }
  for (const [image, below, mib] of [
    ['base', undefined, 8],
    ['middle', 'base', 4],
    ['a', 'middle', 0],
    ['b', undefined, 8],
  ] as const) {
    const backing = below === undefined ? '' : `-b ${place(below)} -F qcow2 `
    await lab.sh(`qemu-img create -q -f qcow2 ${backing}${place(image)} 64M`)
    holds(image, mib)
  }
  await lab.sh('xl create /lab/cfg/pv1.cfg')
  await lab.clock.advance(60_000)
  const domain = lab.site.domain('pv1')!
  const fill = (image: string) => {
    const mount = mountOf(pm, place(image))
    mount.usedBytes += freeBytes(mount)
  }
  if (full) fill(full)
  return {
    host: lab.host,
    place,
    async ask(work) {
      const socket = await lab.host.connect(`/var/run/xen/qmp-libxl-${domain.domid}`, 'change')
      return await withQmp(socket, { peer: 'qemu', timeoutMs: 5_000 }, (qmp) =>
        work({
          async execute(command, args) {
            const answer = await qmp.execute(command, args)
            asked.add(command)
            for (const { type } of (args?.actions ?? []) as { type: string }[]) asked.add(type)
            return answer
          },
        }),
      )
    },
    fill,
    pause: () => lab.clock.advance(500),
    close: async () => lab.site.close(),
  }
}

const simulated = { name: 'a simulated QEMU', open: openSimBlocks }
blockLayerSuite(simulated)
blockMachineSuite(simulated)

test('each command and each action of a transaction that the simulated QEMU has is one that the contract has seen it do', () => {
  const all = [...Object.keys(QMP_COMMANDS), ...Object.keys(QMP_ACTIONS)]
  // Once a connection, which the client itself asks, and never again.
  expect(all.filter((name) => !asked.has(name))).toEqual(['qmp_capabilities'])
})

test('it ends over a list of its nodes while a stream that is over has not been put away, as QEMU 7.2 does', async () => {
  const site = await openSimBlocks({})
  const ask = (command: string, args?: { readonly [key: string]: string | boolean }) =>
    site.ask((qmp) => qmp.execute(command, args))
  await ask('block-stream', { 'job-id': 'j-0', device: 'xvda-qcow2', 'auto-dismiss': false })
  await site.pause()
  expect(await ask('query-jobs')).toMatchObject([{ status: 'concluded' }])
  expect(await ask('query-block')).toHaveLength(2)
  await expect(ask('query-named-block-nodes')).rejects.toMatchObject({ code: 'unreachable' })
  await expect(ask('query-jobs')).rejects.toMatchObject({ code: 'notFound' })
  await site.close()
})
