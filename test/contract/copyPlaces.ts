import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../src/engine/host/host.ts'
import { createHosts } from '../../src/engine/host/hosts.ts'
import { openLocalHost } from '../../src/engine/host/local.ts'
import { blockVolumes } from '../../src/engine/volumes/block.ts'
import { fileVolumes } from '../../src/engine/volumes/file.ts'
import type { VolumeDriver } from '../../src/engine/volumes/volumeDriver.ts'
import type { Storlink } from '../../src/model/storlink.ts'
import { createSimSite, type SimSite } from '../../src/sim/site.ts'
import { knownLine, startSshd, type TestSshd, writeSshConfig } from '../support/programs/sshd.ts'
import type { CopyPlace } from './copy.ts'
import { ask } from './volumeSite.ts'

/** Places that volumes are copied between: real directories here and behind a real sshd, and simulated ones. */

function storlinkAt(link: string, driver: VolumeDriver): Storlink {
  const rest = { desc: '', sizeMib: 0, freeMib: 0, createdAt: 0, shared: false }
  return { id: 1, pm: 'here', name: 'here', link, type: 'LO', level: driver.level, ...rest }
}

export interface RealPlaces {
  readonly root: string
  readonly here: CopyPlace
  /** This machine too, over SSH. */
  readonly there: CopyPlace
  readonly sshd: TestSshd
  close(): Promise<void>
}

export async function openRealPlaces(): Promise<RealPlaces> {
  const root = mkdtempSync(join(tmpdir(), 'pengx-copy-'))
  const sshd = await startSshd(join(root, 'sshd'))
  const knownHostsPath = join(root, 'known_hosts')
  await Bun.write(knownHostsPath, knownLine(sshd))
  const alias = { alias: 'there', port: sshd.port, identity: sshd.identity }
  const hosts = createHosts({ knownHostsPath, sshConfigPath: writeSshConfig(join(root, 'config'), [alias]) })
  const local = openLocalHost('here')
  const placeOf = (name: string, host: Host): CopyPlace => {
    const link = join(root, name)
    mkdirSync(link)
    const storlink = storlinkAt(link, fileVolumes)
    return { name, host, driver: fileVolumes, storlink, list: async () => readdirSync(link).sort() }
  }
  return {
    root,
    here: placeOf('here', local),
    there: placeOf('there', hosts.get('there', 'ssh:there')),
    sshd,
    async close() {
      await hosts.closeAll()
      await local.close()
      await sshd.kill()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

/** Two PMs, each with a directory and a volume group; the group of the second has no thin pool. */
export async function openSimPlaces(): Promise<{ readonly sim: SimSite; readonly places: readonly CopyPlace[] }> {
  const sim = createSimSite({ vmCount: 4, pmCount: 2, pace: 0 })
  const places = ['1', '2'].flatMap((number): CopyPlace[] => {
    const pm = `xen${number}`
    const host = sim.host(pm)
    const group = sim.pm(pm).groups[0]!
    if (number === '2') group.volumes = []
    const files = async () => Object.keys(sim.filesOn(pm)).filter((path) => path.startsWith('/data/place/'))
    const volumes = async () => group.volumes.map((volume) => volume.name)
    const placeOf = (kind: string, driver: VolumeDriver, link: string, list: CopyPlace['list']): CopyPlace => {
      return { name: `${kind} ${number}`, host, driver, storlink: storlinkAt(link, driver), list }
    }
    return [placeOf('files', fileVolumes, '/data/place', files), placeOf('volumes', blockVolumes, 'vg-fast', volumes)]
  })
  for (const { host } of places) await ask(host, 'mkdir', '-p', '/data/place')
  return { sim, places }
}
