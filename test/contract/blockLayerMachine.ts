import { describe, expect, test } from 'bun:test'
import { parseBlockCounters, parseBlocks, parseVersion } from '../../src/engine/tools/qmp.ts'
import { type BlockLayerKind, benchOf, SIZE_BYTES } from './blockLayerSite.ts'

/** What a QEMU tells of the machine that its disks belong to: a block layer alone has none. */
export function blockMachineSuite(kind: BlockLayerKind): void {
  describe(`${kind.name}, of a machine`, () => {
    const bench = benchOf(kind, { quiet: true })
    const blocks = async () => parseBlocks(await bench.ask('query-block'))
    const status = () => bench.ask('query-status')
    const monitor = (line: string) => bench.ask('human-monitor-command', { 'command-line': line })

    test('its disks are told of with their devices, which know what the guest calls them', async () => {
      const { site } = bench
      expect((await blocks()).map(({ node, device, file, sizeBytes }) => ({ node, device, file, sizeBytes }))).toEqual([
        { node: 'xvda-qcow2', device: '', file: site.place('a'), sizeBytes: SIZE_BYTES },
        { node: 'xvdb-qcow2', device: '', file: site.place('b'), sizeBytes: SIZE_BYTES },
      ])
      const [row] = (await bench.ask('query-block')) as { readonly [key: string]: unknown }[]
      expect(row).toMatchObject({ locked: false, removable: false, type: 'unknown' })
      for (const [index, { qdev }] of (await blocks()).entries()) {
        expect(qdev).toMatch(/^\/machine\//)
        expect(await bench.ask('qom-get', { path: qdev, property: 'vdev' })).toBe(['xvda', 'xvdb'][index]!)
        expect(await bench.refusal('qom-get', { path: qdev, property: 'none' })).toMatch(
          /^GenericError: Property '[\w-]+\.none' not found$/,
        )
      }
      expect(await bench.refusal('qom-get', { path: '/machine/none', property: 'vdev' })).toBe(
        "DeviceNotFound: Device '/machine/none' not found",
      )
    })

    test('what its disks have moved is counted by their nodes', async () => {
      const answer = await bench.ask('query-blockstats')
      const counters = parseBlockCounters(answer)
      expect(counters.map(({ node, device, qdev }) => ({ node, device, qdev }))).toEqual(
        (await blocks()).map(({ node, device, qdev }) => ({ node, device, qdev })),
      )
      for (const { readBytes, writeBytes } of counters)
        expect(Math.min(readBytes, writeBytes)).toBeGreaterThanOrEqual(0)
      const [row] = answer as unknown as { stats: object; parent: { stats: object } }[]
      expect(Object.keys(row!.stats)).toEqual(expect.arrayContaining(['flush_operations', 'wr_highest_offset']))
      expect(row).toMatchObject({ parent: { 'node-name': expect.any(String), stats: expect.any(Object) } })
    })

    test('it tells its version, and by which threads disks are served that have one', async () => {
      expect(parseVersion(await bench.ask('query-version'))).toBeGreaterThan(5)
      const threads = (await bench.ask('query-iothreads')) as readonly { readonly id: string }[]
      for (const { id } of threads) expect(id).toBeString()
    })

    test('it runs, stops its disks, gives them away and takes them again', async () => {
      await bench.ask('cont')
      expect(await status()).toEqual({ status: 'running', running: true, singlestep: false })
      expect(await monitor('info status')).toMatch(/^VM status: running/)
      await bench.ask('stop')
      expect(await status()).toEqual({ status: 'paused', running: false, singlestep: false })
      expect(await bench.ask('xen-save-devices-state', { filename: '/dev/null', live: true })).toEqual({})
      await bench.ask('cont')
      expect(await status()).toMatchObject({ running: true })
      expect((await blocks()).map(({ file }) => file)).toEqual(['a', 'b'].map((image) => bench.site.place(image)))
    })

    test('a disk is flushed by its device or its node, and one that is not there is said to be none', async () => {
      const [{ node, qdev } = { node: '', qdev: '' }] = await blocks()
      for (const whom of [`-d ${qdev}`, node]) expect(await monitor(`qemu-io ${whom} flush`)).toBe('')
      expect(await monitor('qemu-io none flush')).toBe("Error: Cannot find device='' nor node-name='none'\r\n")
    })

    test('it has a name, tells of its screen, and ends when it is told to', async () => {
      expect(await bench.ask('query-name')).toMatchObject({ name: expect.stringMatching(/./) })
      expect(await bench.ask('query-vnc')).toMatchObject({ enabled: expect.any(Boolean) })
      expect(await bench.ask('quit')).toEqual({})
      await expect(bench.ask('query-status')).rejects.toThrow()
    })
  })
}
