import { expect } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run } from '../../../src/engine/host/run.ts'
import {
  A,
  B,
  type BlockLayerKind,
  type BlockLayerOptions,
  type BlockLayerSite,
  type NodeRow,
} from '../../contract/blockLayerSite.ts'
import type { NumberedGuest } from '../../support/programs/numberedGuest.ts'
import { openStorageDaemon, type StorageDaemon } from '../../support/programs/storageDaemon.ts'

/** QEMU's real block layer, and a guest that writes to its disks while it is spoken to. */
interface DaemonSite extends BlockLayerSite {
  readonly daemon: StorageDaemon
  readonly guest: NumberedGuest | undefined
}

export const realBlockLayer: BlockLayerKind = { name: 'a real block layer', open: openDaemonSite }

async function openDaemonSite({ quiet, full }: BlockLayerOptions): Promise<DaemonSite> {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-blocks-'))
  const host = openLocalHost('here')
  const place = (image: string) => join(dir, `${image}.qcow2`)
  await run(host, { argv: ['sh', '-c', IMAGES, 'images', dir], effect: 'change' })
  const daemon = await openStorageDaemon(dir)
  let isFull = false
  const fill = (image: string) => {
    // A guest is told so as well, where what it overwrites has no room in a copy (QEMU 7.2).
    isFull = true
    daemon.failing(place(image), { errno: 'ENOSPC', afterWrites: 0 })
  }
  if (full) fill(full)
  await daemon.open(A, { path: place('a'), format: 'qcow2' })
  await daemon.open(B, { path: place('b'), format: 'qcow2' })
  const guest = quiet ? undefined : await daemon.guest(A, B)
  const writing = guest?.goOn()

  /** What the guest's writes go to now. */
  async function tops(): Promise<string[]> {
    const shown = (await daemon.ask((qmp) => qmp.execute('query-block-exports'))) as unknown as {
      id: string
      'node-name': string
    }[]
    const nodes = (await daemon.ask((qmp) =>
      qmp.execute('query-named-block-nodes', { flat: true }),
    )) as unknown as NodeRow[]
    return [A, B].map((disk) => {
      const top = shown.find(({ id }) => id === `guest-${disk}`)!['node-name']
      return nodes.find((node) => node['node-name'] === top)!.file
    })
  }

  return {
    host,
    place,
    daemon,
    guest,
    ask: daemon.ask,
    fill,
    pause: () => Bun.sleep(20),
    async close() {
      const paths = guest && !guest.isOver() ? await tops() : undefined
      await writing?.stop()
      if (paths) await guest?.flush()
      await daemon.kill()
      if (paths) {
        expect(guest?.lostOf(paths.map((path) => ({ path, format: 'qcow2' as const })))).toEqual([])
        if (!isFull) expect(guest?.failures()).toEqual([])
        expect(guest?.now()).toBeGreaterThan(0)
      }
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** Filled beyond what a guest writes to. */
export const IMAGES = `
cd "$1"
for image in base:: middle:base: a:middle: b::; do
  name=\${image%%:*} below=\${image#*:} below=\${below%:}
  qemu-img create -q -f qcow2 \${below:+-b "$1/$below.qcow2" -F qcow2} "$name.qcow2" 64M || exit
done
qemu-io -f qcow2 -c 'write -P 0xb0 16M 8M' base.qcow2 >&2 &&
qemu-io -f qcow2 -c 'write -P 0xb1 20M 4M' middle.qcow2 >&2 &&
qemu-io -f qcow2 -c 'write -P 0xb2 16M 8M' b.qcow2 >&2
`
