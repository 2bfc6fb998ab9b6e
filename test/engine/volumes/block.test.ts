import { describe, expect, test } from 'bun:test'
import type { Host } from '../../../src/engine/host/host.ts'
import { blockVolumes } from '../../../src/engine/volumes/block.ts'
import type { Storlink } from '../../../src/model/storlink.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { volumeSuite } from '../../contract/volumeDriver.ts'
import { ask, type VolumeSite } from '../../contract/volumeSite.ts'

const GIB = 1024 ** 3
const TAG = 'block.0'

function storlinkAt(link: string): Storlink {
  const rest = { desc: '', sizeMib: 0, freeMib: 0, createdAt: 0, shared: false }
  return { id: 1, pm: 'here', name: 'here', link, type: 'LO', level: 'BL', ...rest }
}

/** A simulated PM with the group vg-fast, which has a thin pool, or, without it, hands out extents. */
function openSim(thin: boolean) {
  const sim = createSimSite({ vmCount: 4, pmCount: 1, pace: 0 })
  const group = sim.pm('xen1').groups[0]!
  Object.assign(group, { sizeBytes: 2 * GIB, volumes: group.volumes.filter(() => thin) })
  for (const pool of group.volumes) pool.sizeBytes = GIB
  return { sim, group, host: sim.host('xen1') }
}

for (const thin of [true, false]) {
  volumeSuite({
    name: `${thin ? 'thin' : 'thick'} logical volumes on the simulated site`,
    driver: blockVolumes,
    bytes: false,
    thick: !thin,
    async open(): Promise<VolumeSite> {
      const { sim, group, host } = openSim(thin)
      await ask(host, 'mkdir', '-p', '/var/tmp/scratch')
      return {
        host,
        storlink: storlinkAt('/dev/vg-fast'),
        scratch: '/var/tmp/scratch',
        grainMib: 4,
        wrong: [
          ['/dev/nosuch', /there is no volume group nosuch on xen1/],
          ['nosuch', /there is no volume group nosuch on xen1/],
        ],
        list: async () => group.volumes.map((volume) => volume.name).sort(),
        async fill(freeMib) {
          const [pool] = group.volumes
          const { sizeBytes } = group
          const taken = group.volumes.reduce((sum, one) => sum + (one.segType === 'thin' ? 0 : one.sizeBytes), 0)
          if (thin) pool!.dataPercent = 100 - (freeMib * 1048576 * 100) / pool!.sizeBytes
          else group.sizeBytes = taken + freeMib * 1048576
          return async () => {
            group.sizeBytes = sizeBytes
            if (thin) pool!.dataPercent = undefined
          }
        },
        pretend(path, mib) {
          const node = findNode(sim.pm('xen1'), path)
          const volume = group.volumes.find((one) => path.endsWith(`/${one.name}`))!
          if (node?.kind === 'block') node.allocated = mib * 1048576
          if (thin) volume.dataPercent = (mib * 1048576 * 100) / volume.sizeBytes
        },
        async putBeside(path) {
          const name = `${path.split('/').at(-1)}x`
          await ask(host, 'lvcreate', '-y', '-L', '4m', '-n', name, 'vg-fast')
          return () => ask(host, 'lvremove', '-y', `vg-fast/${name}`)
        },
        putToSleep: async (path) => void (await ask(host, 'lvchange', '-an', path.replace('/dev/', ''))),
        close: () => host.close(),
      }
    },
  })
}

describe('what an extent held before', () => {
  const path = '/dev/vg-fast/pengx-1'

  /** The arguments of every blkdiscard, as they are given. */
  function watched(host: Host): { host: Host; zeroed: string[] } {
    const zeroed: string[] = []
    return {
      zeroed,
      host: {
        ...host,
        async open(command, signal) {
          for (const { argv } of command.parts ?? [command])
            if (argv[0] === 'blkdiscard') zeroed.push(argv.slice(4).join(' '))
          return await host.open(command, signal)
        },
      },
    }
  }

  test('a thick raw volume is zeroed whole, and where it grows', async () => {
    const { host, zeroed } = watched(openSim(false).host)
    await blockVolumes.create(host, path, 'raw', 10, TAG)
    await blockVolumes.resize(host, path, 'raw', 30, TAG)
    const MIB = 1048576
    expect(zeroed).toEqual([`-o 0 -l ${12 * MIB} ${path}.new`, `-o ${12 * MIB} -l ${20 * MIB} ${path}`])
  })

  test('zeroing that was cut short is finished by the next one who grows it, or switches it on', async () => {
    for (const next of ['resize', 'activate'] as const) {
      const { sim, host: bare, group } = openSim(false)
      const { host, zeroed } = watched(bare)
      await blockVolumes.create(host, path, 'raw', 12, TAG)
      sim.faults.add({ match: 'blkdiscard', effect: { kind: 'failBefore', stderr: 'blkdiscard: cut short\n' } })
      await expect(blockVolumes.resize(host, path, 'raw', 32, TAG)).rejects.toMatchObject({ code: 'commandFailed' })
      expect(group.volumes[0]?.tags).toEqual(['pengx.raw', `pengx.zero.${12 * 1048576}`])
      zeroed.length = 0
      if (next === 'resize') await blockVolumes.resize(host, path, 'raw', 32, TAG)
      else await blockVolumes.activate(host, { path, format: 'raw' }, TAG)
      expect(zeroed).toEqual([`-o ${12 * 1048576} -l ${20 * 1048576} ${path}`])
      expect(group.volumes[0]?.tags).toEqual(['pengx.raw'])
    }
  })

  test('a pool that does not zero is no place for a raw volume', async () => {
    const { host } = openSim(true)
    const report = (await ask(host, 'lvs', '--reportformat', 'json', 'vg-fast')).slice(2).replace('-tz--', '-t---')
    const lying: Host = {
      ...host,
      async open(command, signal) {
        const process = await host.open(command, signal)
        if (!command.parts?.some((part) => part.argv[0] === 'lvs')) return process
        const text = (await new Response(process.stdout).text()).replaceAll('tz--', 't---')
        return { ...process, stdout: new Response(text).body! }
      },
    }
    expect(report).toContain('-t---')
    await expect(blockVolumes.create(lying, path, 'raw', 12, TAG)).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining('lvchange -Zy vg-fast/pool'),
    })
    await blockVolumes.create(lying, path, 'qcow2', 12, TAG)
  })
})

test('a qcow2 volume has room for all that a guest may write, and more', async () => {
  const { host, group } = openSim(false)
  await blockVolumes.create(host, '/dev/vg-fast/pengx-1', 'qcow2', 512, TAG)
  expect(group.volumes[0]!.sizeBytes).toBeGreaterThan(512 * 1048576 * 1.0003)
})

test('what is in use is not removed', async () => {
  const { sim, host, group } = openSim(false)
  await blockVolumes.create(host, '/dev/vg-fast/pengx-1', 'raw', 12, TAG)
  sim.pm('xen1').domains[0]!.config.disks[0]!.path = '/dev/vg-fast/pengx-1'
  await expect(blockVolumes.remove(host, '/dev/vg-fast/pengx-1', TAG)).rejects.toMatchObject({
    message: expect.stringContaining('in use'),
  })
  expect(group.volumes.map((volume) => volume.name)).toEqual(['pengx-1'])
})
