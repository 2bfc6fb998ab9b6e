import { afterAll, beforeAll, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import { type SimServer, serveSim, storlinkXml } from './simServer.ts'

/** Sizes and memory are MiB wherever they are told, and what is told in two places is the same. */
let sim: SimServer
beforeAll(async () => {
  sim = await serveSim()
  await sim.ask('POST', '/storlinks/create/', storlinkXml('data', '/data'))
})
afterAll(() => sim[Symbol.asyncDispose]())

async function json<T>(path: string): Promise<T> {
  return JSON.parse((await sim.ask('GET', `${path}?format=json`)).text) as T
}

async function said(argv: readonly [string, ...string[]], pm = 'xen1'): Promise<string> {
  return (await run(sim.world.site.host(pm), { argv, effect: 'read' })).stdout
}

interface Pm {
  readonly id: string
  readonly memory: number
}
interface Perf {
  readonly total_memory: number
  readonly used_memory: number
  readonly memory_util: number
}
interface VmShown {
  readonly pm: string
  readonly status: string
  readonly memory: number
  readonly maxmem: number
}

test('a PM has as much memory as xl says, and its VMs with dom0 no more than that', async () => {
  await sim.world.engine.look()
  const info = await said(['xl', 'info'])
  const [total, free] = ['total_memory', 'free_memory'].map((name) =>
    Number(new RegExp(`${name} *: (\\d+)`).exec(info)?.[1]),
  )
  const { pm } = await json<{ pm: Pm }>('/pms/')
  const { pmpperf } = await json<{ pmpperf: Perf }>('/pmpperf/')
  expect([pm.memory, pmpperf.total_memory, pmpperf.used_memory]).toEqual([total!, total!, total! - free!])
  expect(pmpperf.memory_util).toBe(Math.round((100 * (total! - free!)) / total!))
  const { vms } = await json<{ vms: VmShown[] }>('/vms/')
  const own = vms.filter((vm) => vm.pm === pm.id && vm.status === 'RUNNING')
  expect(own.length).toBeGreaterThan(0)
  const sum = own.reduce((all, vm) => all + vm.memory, 0)
  expect(sum).toBeGreaterThan(0)
  expect(sum).toBeLessThanOrEqual(pmpperf.used_memory)
})

test('a storlink holds what df says of its directory', async () => {
  const { storlinks } = await json<{ storlinks: { size: number; free: number }[] }>('/storlinks/')
  const row = (await said(['df', '-P', '-B', '1M', '/data'])).trim().split('\n').at(-1)!.split(/\s+/)
  expect([storlinks[0]!.size, storlinks[0]!.free]).toEqual([Number(row[1]), Number(row[3])])
})

test('what is asked for in MiB is what the disk, the configuration and the answers have', async () => {
  const body =
    '<vm><name>web</name><storlink>1</storlink><memory>768</memory><maxmem>1024</maxmem><os_disk_size>2048</os_disk_size></vm>'
  const path = (await sim.ask('POST', '/vms/', body)).headers.get('location')!
  const { vm } = await json<{ vm: VmShown & { disk_size: number } }>(path)
  expect([vm.memory, vm.maxmem, vm.disk_size]).toEqual([768, 1024, 2048])
  const { disks } = await json<{ disks: { id: string; size: number }[] }>(`${path}disks/`)
  expect(disks.map((disk) => disk.size)).toEqual([2048])
  const image = await said(['qemu-img', 'info', '--output=json', `/data/${disks[0]!.id}.qcow2`])
  expect((JSON.parse(image) as Record<string, number>)['virtual-size']).toBe(2048 * 1024 * 1024)
  const config = await said(['cat', `/etc/xen/pengx/${path.split('/')[2]}.cfg`])
  expect([/^memory = (\d+)/m.exec(config)?.[1], /^maxmem = (\d+)/m.exec(config)?.[1]]).toEqual(['768', '1024'])
  const metrics = (await sim.ask('GET', '/metrics')).text
  const { pm } = await json<{ pm: Pm }>('/pms/')
  expect(metrics).toContain(`pengx_pm_memory_bytes{pm="xen1"} ${pm.memory * 1024 * 1024}`)
})
