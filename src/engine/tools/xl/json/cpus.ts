import { quoteString } from '../syntax.ts'
import { listOf } from './lines.ts'
import type { TreeReader } from './tree.ts'
import { rangesOf, type Said } from './words.ts'

/** Which processors a guest's run on, what they look like to it, and its memory's nodes (xl_parse.c). */
export function readCpus(build: TreeReader, maxVcpuCount: number): Said[] {
  return [...readAffinity(build, maxVcpuCount), ...readVnuma(build), ...readCpuid(build)]
}

type Bits = readonly unknown[]

const bitsOf = (value: unknown): Bits[] => (Array.isArray(value) ? value.filter(Array.isArray) : [])

/** A list switches automatic placement off, which a string does for `cpus_soft` alone. */
function readAffinity(build: TreeReader, maxVcpuCount: number): Said[] {
  const said: Said[] = []
  const off = build.peek('numa_placement') === 'False'
  const soft = bitsOf(build.peek('vcpu_soft_affinity'))
  const whole = build.peek('cpumap')
  const hard = bitsOf(build.peek('vcpu_hard_affinity'))
  // libxl turns this into one of each, where there is none
  const each = hard.length === 0 && Array.isArray(whole) ? Array<Bits>(maxVcpuCount).fill(whole) : hard
  const isPlaced = off && build.items('vnuma_nodes').length === 0
  const one = (parameter: string, maps: readonly Bits[], needsList: boolean) => {
    if (maps.length === 0 && !needsList) return
    const texts = maps.map(rangesOf)
    const asString = !needsList && maps.length === maxVcpuCount && new Set(texts).size === 1 && texts[0] !== ''
    said.push({ parameter, text: `${parameter} = ${asString ? quoteString(texts[0]!) : listOf(texts)}` })
  }
  one('cpus', each, isPlaced && soft.length === 0)
  one('cpus_soft', soft, false)
  for (const key of ['vcpu_hard_affinity', 'vcpu_soft_affinity', 'cpumap', 'numa_placement']) build.take(key)
  return said
}

function readVnuma(build: TreeReader): Said[] {
  const nodes = build.items('vnuma_nodes')
  const off = build.peek('numa_placement') === 'False'
  const items = nodes.map((node) => {
    const size = node.peek('memkb')
    const words: string[] = []
    if (off) words.push(`pnode=${node.peek('pnode') ?? 0}`)
    if (off) node.take('pnode')
    if (typeof size === 'number' && size % 1024 === 0) {
      words.push(`size=${size / 1024}`)
      node.take('memkb')
    }
    words.push(`vcpus=${rangesOf(node.list('vcpus'))}`)
    const distances = node.list('distances')
    if (distances.length > 0) words.push(`vdistances=${distances.join(',')}`)
    return listOf(words)
  })
  return items.length === 0 ? [] : [{ parameter: 'vnuma', text: `vnuma = [ ${items.join(', ')} ]` }]
}

const REGISTERS = ['eax', 'ebx', 'ecx', 'edx'] as const

/** Before Xen 4.18 a list, now one under `cpuid` beside one of MSRs, which no text says. */
function readCpuid(build: TreeReader): Said[] {
  const nested = build.under('cpuid')
  const leaves = Array.isArray(build.peek('cpuid')) ? build.items('cpuid') : nested.items('cpuid')
  const items = leaves.map((leaf) => {
    const number = leaf.number('leaf') ?? 0
    const subleaf = leaf.number('subleaf')
    const registers = REGISTERS.flatMap((name) => {
      const policy = leaf.text(name)
      return policy === undefined ? [] : [`${name}=${policy}`]
    })
    const where = subleaf === undefined ? '' : `,0x${subleaf.toString(16)}`
    return `0x${number.toString(16)}${where}:${registers.join(',')}`
  })
  return items.length === 0 ? [] : [{ parameter: 'cpuid', text: `cpuid = ${listOf(items)}` }]
}
