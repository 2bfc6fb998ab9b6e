import { describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseAddresses, parseVifName } from '../../../src/engine/tools/interfaces.ts'
import {
  freeSpace,
  loadFile,
  networkCountersFile,
  parseFreeSpace,
  parseLoad,
  parseMachineId,
  parseNetworkCounters,
  parseUptime,
  uptimeFile,
} from '../../../src/engine/tools/system.ts'
import { parseStoreList } from '../../../src/engine/tools/xenstore.ts'
import { transcript, versionsWith } from '../../support/transcript.ts'

const ask = (program: { argv: readonly string[] }) => Bun.spawnSync([...program.argv]).stdout.toString()

describe('this very machine', () => {
  test('tells its uptime, load, counters and space', () => {
    expect(parseUptime(ask(uptimeFile))).toBeGreaterThan(0)
    expect(parseLoad(ask(loadFile))).toBeGreaterThanOrEqual(0)
    expect(parseNetworkCounters(ask(networkCountersFile)).map((row) => row.name)).toContain('lo')
    const directory = mkdtempSync(join(tmpdir(), 'pengx space '))
    try {
      const space = parseFreeSpace(ask(freeSpace(directory)))!
      // An empty one, as a fresh tmpfs is, has as much free as it has.
      expect(space.sizeMib).toBeGreaterThanOrEqual(space.freeMib)
      expect(space.freeMib).toBeGreaterThan(0)
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})

test('a machine’s identity from either source, and none from an empty or a made-up one', () => {
  expect(parseMachineId('39a640e6f1412319235087391df9f1c5\n')).toBe('39a640e6f1412319235087391df9f1c5')
  expect(parseMachineId('39A640E6-F141-2319-2350-87391DF9F1C5\n')).toBe('39a640e6f1412319235087391df9f1c5')
  for (const text of [
    '',
    'uninitialized\n',
    '00000000-0000-0000-0000-000000000000',
    'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
  ])
    expect(parseMachineId(text)).toBeUndefined()
})

test('/proc/net/dev, with and without a blank behind the colon', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     480       6    0    0    0     0          0         0      480       6    0    0    0     0       0          0
  eth0:123456789 6 0 0 0 0 0 0 987 6 0 0 0 0 0 0
vif2.0:    1908      22    0    0    0     0          0         0      504       7    0    0    0     0       0          0
`
  expect(parseNetworkCounters(text)).toEqual([
    { name: 'lo', rxBytes: 480, txBytes: 480 },
    { name: 'eth0', rxBytes: 123456789, txBytes: 987 },
    { name: 'vif2.0', rxBytes: 1908, txBytes: 504 },
  ])
})

test('df with a long device name and a mount point with a blank', () => {
  const text = `Filesystem     1048576-blocks  Used Available Capacity Mounted on
server:/a very/long export        1000   10       990       1% /mnt/a b
`
  expect(parseFreeSpace(text)).toEqual({
    device: 'server:/a very/long export',
    sizeMib: 1000,
    freeMib: 990,
  })
  expect(parseFreeSpace('df: /x: No such file or directory\n')).toBeUndefined()
})

describe('interfaces', () => {
  const link = (ifname: string, rest: object = {}) => ({
    ifname,
    link_type: 'ether',
    address: '52:54:00:00:00:01',
    ...rest,
  })
  const kind = (info_kind: string) => ({ linkinfo: { info_kind } })
  const links = [
    { ifname: 'lo', link_type: 'loopback', address: '00:00:00:00:00:00' },
    link('eth0', { master: 'xenbr0', linkinfo: { info_slave_kind: 'bridge' } }),
    link('eth1', {
      address: '52:54:00:00:00:02',
      addr_info: [
        { family: 'inet6', local: 'fe80::1' },
        { family: 'inet', local: '10.9.0.1' },
      ],
    }),
    link('eth2', { master: 'bond0' }),
    link('bond0', { ...kind('bond'), addr_info: [{ family: 'inet', local: '10.8.0.1' }] }),
    link('xenbr0', { ...kind('bridge'), addr_info: [{ family: 'inet', local: '10.0.2.15' }] }),
    link('lonely', kind('bridge')),
    link('eth1.5', kind('vlan')),
    link('vif2.0', { address: 'fe:ff:ff:ff:ff:ff', master: 'xenbr0' }),
    link('web0', { address: 'fe:ff:ff:ff:ff:ff', master: 'xenbr0' }),
    link('vif2.0-emu', { ...kind('tun'), master: 'xenbr0' }),
    {},
  ]

  test('cards are told from bridges, bonds and guests’ ends', () => {
    const found = parseAddresses(JSON.stringify(links))!
    expect(found.physical.map(({ name, ip }) => [name, ip])).toEqual([
      ['eth0', '10.0.2.15'],
      ['eth1', '10.9.0.1'],
      ['eth2', '10.8.0.1'],
    ])
    expect(found.bridges).toEqual(['xenbr0', 'lonely'])
  })

  test('of a lab host', () => {
    expect(parseAddresses(transcript('ip-6.1-addr').stdout)).toEqual({
      physical: [
        { name: 'eth0', mac: '52:54:00:4c:01:00', ip: '10.0.2.15' },
        { name: 'eth1', mac: '52:54:00:4c:01:01', ip: '10.99.0.1' },
        { name: 'eth2', mac: '52:54:00:4c:01:02', ip: '' },
      ],
      bridges: ['xenbr0'],
    })
  })

  test('without the kinds, a bridge is what has something in it', () => {
    const bare = links.map(({ linkinfo: _, ...rest }: { linkinfo?: object }) => rest)
    expect(parseAddresses(JSON.stringify(bare))?.bridges).toEqual(['xenbr0'])
  })

  test('what is no JSON is no answer', () => {
    expect(parseAddresses('Option "-j" is unknown, try "ip -help".\n')).toBeUndefined()
    expect(parseAddresses('{}')).toBeUndefined()
  })

  test('guests’ ends by domain', () => {
    expect(parseVifName('vif12.1')).toEqual({ domid: 12, device: 1 })
    expect(parseVifName('vif12.1-emu')).toEqual({ domid: 12, device: 1 })
    expect(parseVifName('eth0')).toBeUndefined()
  })
})

test.each(versionsWith('xenstore', 'ls-domain'))('xenstore, as that of Xen %s lists', (version) => {
  const domain = parseStoreList(transcript(`xenstore-${version}-ls-domain`).stdout)
  expect(domain.get('/local/domain/2/console/vnc-port')).toBe('5900')
  expect(domain.get('/local/domain/2/device')).toBe('')
  const vm = parseStoreList(transcript(`xenstore-${version}-ls-vm`).stdout)
  expect(vm.get('/vm/1736f6d0-4829-4505-aafa-deb413df388f/start_time')).toMatch(/^\d{10}\.\d\d$/)
})

test('what xenstore quotes', () => {
  expect(parseStoreList(String.raw`/a = "x\"y\\z\n\x07"`).get('/a')).toBe('x"y\\z\n\x07')
})
