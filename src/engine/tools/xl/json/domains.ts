import type { Boot, VmSpec, VmType } from '../../../../model/vm.ts'
import { readCpus } from './cpus.ts'
import { readDevices, readKeyboards } from './devices.ts'
import { readDisks, readNics } from './disks.ts'
import { readDisplay } from './display.ts'
import { type Guest, LINES, type Line } from './lines.ts'
import { type Kept, lostOf } from './loss.ts'
import { readPairs } from './pairs.ts'
import { createTreeReader, type Tree, type TreeReader, tree } from './tree.ts'
import type { Said } from './words.ts'

/**
 * `xl list -l`: what domains were built from, as libxl's own JSON. Keys of it that xl.cfg(5) has words for become
 * `extraConfig`, so that a domain that is adopted without a configuration file starts again as it ran (`kept`); what
 * has none is `lost`, key by key. What libxl fills in by itself is neither.
 */
export interface DomainConfig extends Kept {
  readonly domid: number
  readonly uuid: string
  readonly spec: VmSpec
}

/** All domains but dom0, which is nobody's VM; one at a time, since of thousands it takes a while. */
export function* parseConfigurations(stdout: string): Generator<DomainConfig, void, undefined> {
  const entries: unknown = JSON.parse(stdout.trim() === '' ? '[]' : stdout)
  if (!Array.isArray(entries)) return
  for (const entry of entries) if (Number(entry?.domid) > 0) yield parseOne(entry as Tree)
}

/** libxl's own default. */
const DEFAULT_KIB = 32 * 1024

function parseOne(entry: Tree): DomainConfig {
  const config = createTreeReader(tree(entry.config), '')
  const create = config.under('c_info')
  const build = config.under('b_info')
  const type = asType(create.text('type') ?? build.text('type'))
  const own = build.under(`type.${type}`)
  const name = create.text('name') ?? '(null)'
  const uuid = create.text('uuid') ?? ''
  const vcpus = readVcpus(build)
  const maxKib = build.number('max_memkb')
  const targetKib = build.number('target_memkb') ?? maxKib ?? DEFAULT_KIB
  const { disks, drives } = readDisks(config)
  const nics = readNics(config, type)
  const { vnc, said: frames, keyboards } = readDisplay(config, own, type)
  const guest: Guest = {
    type,
    maxKib: maxKib ?? targetKib,
    maxVcpuCount: vcpus.maxVcpuCount,
    vga: String(own.under('vga').peek('kind')),
    traditional: build.peek('device_model_version') === 'qemu_xen_traditional',
  }
  const said = [
    ...readPairs(create, build, own),
    ...readLines(config, guest),
    ...readCpus(build, vcpus.maxVcpuCount),
    ...readDevices(config),
    ...frames,
    ...readKeyboards(config, keyboards),
  ]
  return {
    domid: Number(entry.domid),
    uuid,
    spec: {
      name,
      domainName: name,
      type,
      ...vcpus,
      memoryMib: Math.round(targetKib / 1024),
      maxmemMib: Math.round((maxKib ?? targetKib) / 1024),
      boot: readBoot(build, own),
      ...(vnc === undefined ? {} : { vnc }),
      disks,
      drives,
      nics,
      extraConfig: said.map(({ text }) => text).join('\n'),
    },
    kept: [...new Set(said.map(({ parameter }) => parameter))],
    lost: lostOf(config.left(), (item) => isBackendNamed(config, item)),
  }
}

function asType(text: string | undefined): VmType {
  return text === 'hvm' || text === 'pvh' ? text : 'pv'
}

/** A file has the first so many of a guest's; which they are is lost where they are others. */
function readVcpus(build: TreeReader): { vcpuCount: number; maxVcpuCount: number } {
  const there = build.peek('avail_vcpus')
  const available = Array.isArray(there) ? there : []
  if (available.every((vcpu, index) => vcpu === index)) build.take('avail_vcpus')
  const vcpuCount = Math.max(1, available.length)
  return { vcpuCount, maxVcpuCount: Math.max(vcpuCount, build.number('max_vcpus') ?? 1) }
}

function readBoot(build: TreeReader, own: TreeReader): Boot {
  // old versions have these under the type
  const either = (key: string) => build.text(key) ?? own.text(key)
  const firmware = own.text('firmware')
  const boot = {
    kernel: either('kernel'),
    ramdisk: either('ramdisk'),
    cmdline: either('cmdline'),
    bootloader: either('bootloader'),
    firmware: firmware ?? own.text('bios'),
    order: own.text('boot'),
  }
  return Object.fromEntries(Object.entries(boot).filter(([, value]) => value !== undefined))
}

function readLines(config: TreeReader, guest: Guest): Said[] {
  const build = config.under('b_info')
  const places: Readonly<Record<Line['under'], TreeReader>> = {
    config,
    create: config.under('c_info'),
    build,
    own: build.under(`type.${guest.type}`),
    sched: build.under('sched_params'),
    x86: build.under('arch_x86'),
    arm: build.under('arch_arm'),
  }
  return LINES.flatMap((line): Said[] => {
    const [first, nested] = line.json.split('.') as [string, string?]
    const place = places[line.under]
    if (place.peek(first) === undefined && line.absent === undefined) return []
    const from = nested === undefined ? place : place.under(first)
    const key = nested ?? first
    const value = from.peek(key)
    const said = value === undefined ? (line.absent ?? '') : line.say(value, guest)
    if (said === undefined) return []
    from.take(key)
    return said === '' ? [] : [{ parameter: line.parameter, text: `${line.parameter} = ${said}` }]
  })
}

/** Of a device, by its path. */
function isBackendNamed(config: TreeReader, item: string): boolean {
  const [list, index] = item.split('.')
  return config.items(list!)[Number(index)]?.peek('backend_domname') !== undefined
}
