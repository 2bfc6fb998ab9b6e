import { expect } from 'bun:test'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import type { Storlink } from '../../../src/model/storlink.ts'
import { findNode, setAllocated } from '../../../src/sim/machine/files.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { volumeSuite } from '../../contract/volumeDriver.ts'
import { ask } from '../../contract/volumeSite.ts'

function storlinkAt(link: string): Storlink {
  const rest = { desc: '', sizeMib: 0, freeMib: 0, createdAt: 0, shared: false }
  return { id: 1, pm: 'here', name: 'here', link, type: 'LO', level: 'FL', ...rest }
}

const WRONG = (dir: string) =>
  [
    [`${dir}/nowhere`, /is not there .*make the directory, or mount it, first/],
    [`${dir}/plain-file`, /is not a directory/],
  ] as const

volumeSuite({
  name: 'files in a directory of this machine',
  driver: fileVolumes,
  bytes: true,
  thick: false,
  async open() {
    const host = openLocalHost('here')
    const root = mkdtempSync(join(tmpdir(), 'pengx-volumes-'))
    const [link, scratch] = [join(root, 'place'), join(root, 'scratch')]
    for (const dir of [link, scratch]) mkdirSync(dir)
    // A file system of its own can be full; root may mount one.
    const mounted = await ask(host, 'mount', '-t', 'tmpfs', '-o', 'size=256m,mode=755', 'tmpfs', link)
    writeFileSync(join(root, 'plain-file'), '')
    return {
      host,
      storlink: storlinkAt(link),
      scratch,
      grainMib: 1,
      wrong: WRONG(root),
      list: async () => readdirSync(link).sort(),
      async fill(freeMib) {
        expect(mounted).toBe('0 ')
        const { bavail, bsize } = statfsSync(link)
        await ask(host, 'fallocate', '-l', String(bavail * bsize - freeMib * 1048576), join(link, 'filler'))
        return async () => rmSync(join(link, 'filler'))
      },
      async putBeside(path) {
        writeFileSync(`${path}x`, '')
        return async () => rmSync(`${path}x`)
      },
      async close() {
        if (mounted === '0 ') await ask(host, 'umount', link)
        rmSync(root, { recursive: true, force: true })
        await host.close()
      },
    }
  },
})

volumeSuite({
  name: 'files on the simulated site',
  driver: fileVolumes,
  bytes: false,
  thick: false,
  async open() {
    const sim = createSimSite({ vmCount: 4, pmCount: 1, pace: 0 })
    const host = sim.host('xen1')
    await ask(host, 'mkdir', '-p', '/data/place', '/var/tmp/scratch')
    await ask(host, 'touch', '/data/plain-file')
    return {
      host,
      storlink: storlinkAt('/data/place'),
      scratch: '/var/tmp/scratch',
      grainMib: 1,
      wrong: WRONG('/data'),
      list: async () => pathsUnder(sim.filesOn('xen1'), '/data/place/'),
      async fill(freeMib) {
        const mount = sim.pm('xen1').mounts.find((one) => one.at === '/data')!
        const { usedBytes } = mount
        sim.faults.fillDisk('xen1', '/data', freeMib * 1048576)
        return async () => void Object.assign(mount, { usedBytes })
      },
      pretend(path, mib) {
        const node = findNode(sim.pm('xen1'), path)
        if (node?.kind === 'file') setAllocated(sim.pm('xen1'), path, node, mib * 1048576)
      },
      async putBeside(path) {
        await ask(host, 'touch', `${path}x`)
        return () => ask(host, 'rm', `${path}x`)
      },
      close: () => host.close(),
    }
  },
})

function pathsUnder(files: Readonly<Record<string, string>>, dir: string): string[] {
  return Object.keys(files)
    .filter((path) => path.startsWith(dir))
    .sort()
}
