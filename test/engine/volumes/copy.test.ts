import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { createHosts } from '../../../src/engine/host/hosts.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { createSimSite } from '../../../src/engine/sim/site.ts'
import { blockVolumes } from '../../../src/engine/volumes/block.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import type { VolumeDriver } from '../../../src/engine/volumes/volumeDriver.ts'
import type { Storlink } from '../../../src/model/storlink.ts'
import { type CopyPlace, copySuite } from '../../contract/copy.ts'
import { ask } from '../../contract/volumeSite.ts'
import { knownLine, startSshd, writeSshConfig } from '../../support/sshd.ts'

function storlinkAt(link: string, driver: VolumeDriver): Storlink {
  const rest = { desc: '', sizeMib: 0, freeMib: 0, createdAt: 0, shared: false }
  return { id: 1, pm: 'here', name: 'here', link, type: 'LO', level: driver.level, ...rest }
}

function directoryOf(name: string, host: Host, link: string): CopyPlace {
  mkdirSync(link)
  const storlink = storlinkAt(link, fileVolumes)
  return { name, host, driver: fileVolumes, storlink, list: async () => readdirSync(link).sort() }
}

copySuite({
  name: 'copies between directories, here and behind a real sshd',
  pairs: [
    ['here', 'here'],
    ['here', 'there'],
    ['there', 'here'],
  ],
  bytes: true,
  async open() {
    const root = mkdtempSync(join(tmpdir(), 'pengx-copy-'))
    const sshd = await startSshd(join(root, 'sshd'))
    const knownHostsPath = join(root, 'known_hosts')
    await Bun.write(knownHostsPath, knownLine(sshd))
    const alias = { alias: 'there', port: sshd.port, identity: sshd.identity }
    const hosts = createHosts({ knownHostsPath, sshConfigPath: writeSshConfig(join(root, 'config'), [alias]) })
    const here = openLocalHost('here')
    return {
      places: [
        directoryOf('here', here, join(root, 'here')),
        directoryOf('there', hosts.get('there', 'ssh:there'), join(root, 'there')),
      ],
      async close() {
        await hosts.closeAll()
        await here.close()
        await sshd.kill()
        rmSync(root, { recursive: true, force: true })
      },
    }
  },
})

copySuite({
  name: 'copies on the simulated site',
  pairs: [
    ['files 1', 'files 2'],
    ['files 1', 'volumes 2'],
    ['volumes 1', 'files 2'],
    ['volumes 1', 'volumes 2'],
    ['volumes 2', 'files 2'],
  ],
  bytes: false,
  async open() {
    const sim = createSimSite({ vmCount: 4, pmCount: 2, pace: 0 })
    const places = ['1', '2'].flatMap((number): CopyPlace[] => {
      const pm = `xen${number}`
      const host = sim.host(pm)
      const files = async () => Object.keys(sim.filesOn(pm)).filter((path) => path.startsWith('/data/place/'))
      const group = sim.pm(pm).groups[0]!
      // One PM has a thin pool, the other none.
      if (number === '2') group.volumes = []
      const volumes = async () => group.volumes.map((volume) => volume.name)
      return [
        {
          name: `files ${number}`,
          host,
          driver: fileVolumes,
          storlink: storlinkAt('/data/place', fileVolumes),
          list: files,
        },
        {
          name: `volumes ${number}`,
          host,
          driver: blockVolumes,
          storlink: storlinkAt('vg-fast', blockVolumes),
          list: volumes,
        },
      ]
    })
    for (const { host } of places) await ask(host, 'mkdir', '-p', '/data/place')
    return { places, close: async () => undefined }
  },
})
