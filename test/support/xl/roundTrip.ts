// A text, what the real xl reads in it, what pengx writes of that alone, and what the real xl reads in that.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatConfig } from '../../../src/engine/tools/xl/config.ts'
import { type DomainConfig, parseConfigurations } from '../../../src/engine/tools/xl/json/domains.ts'

type Tree = { readonly [key: string]: unknown }

/** libxl's JSON of a text, and of what pengx has written of that JSON. */
export interface RoundTrip {
  readonly name: string
  readonly read: Tree
  readonly written: string
  readonly again: Tree
}

export const RECORDED = join(import.meta.dir, '../../golden/xl/xl-4.17-create-n.jsonl')

export function recorded(): RoundTrip[] {
  const lines = readFileSync(RECORDED, 'utf8').trim().split('\n')
  return lines.map((line) => JSON.parse(line) as RoundTrip)
}

/** As it is read of a running domain of which there is no file. */
export function readTree(config: Tree): DomainConfig {
  const [found] = parseConfigurations(JSON.stringify([{ domid: 1, config }]))
  return found!
}

export const write = ({ uuid, spec }: DomainConfig): string => formatConfig(uuid, spec)

/** Where the second differs from the first, what is said to be lost taken out: `PATH: FIRST -> SECOND`. */
export function differences({ read, again }: Pick<RoundTrip, 'read' | 'again'>, lost: readonly string[]): string[] {
  const first = leaves(without(read, lost))
  const second = leaves(again)
  const paths = [...new Set([...first.keys(), ...second.keys()])]
  return paths
    .filter((path) => first.get(path) !== second.get(path) && !isDefault(path, first, second))
    .map((path) => `${path}: ${first.get(path)} -> ${second.get(path)}`)
}

/** Defaults of libxl (libxl_create.c) that pengx says in words, and that are left out where a file says them. */
const SAID_OUT: readonly (readonly [RegExp, RegExp])[] = [
  [/^b_info\.max_vcpus$/, /^1$/],
  [/^b_info\.avail_vcpus$/, /^\[0\]$/],
  [/\.vnc\.enable$/, /^"True"$/],
  [/\.vnc\.listen$/, /^"127\.0\.0\.1"$/],
]
const LEFT_OUT: readonly (readonly [RegExp, RegExp])[] = [
  [/\.vnc\.findunused$/, /^"True"$/],
  [/\.nictype$/, /^"vif(_ioemu)?"$/],
  [/\.specification$/, /^"xen"$/],
]

function isDefault(path: string, first: ReadonlyMap<string, string>, second: ReadonlyMap<string, string>): boolean {
  const [before, after] = [first.get(path), second.get(path)]
  const memory = path === 'b_info.max_memkb' || path === 'b_info.target_memkb'
  if (memory) return before === undefined && after === (first.get('b_info.max_memkb') ?? '32768')
  // made anew by each `xl create`, this one as well
  if (path === 'b_info.type.hvm.ms_vm_genid') return before !== undefined && after !== undefined
  const table = before === undefined ? SAID_OUT : after === undefined ? LEFT_OUT : []
  return table.some(([where, what]) => where.test(path) && what.test((before ?? after)!))
}

function leaves(node: unknown, path = '', into = new Map<string, string>()): Map<string, string> {
  const isTree = typeof node === 'object' && node !== null
  const isPlainList = Array.isArray(node) && node.every((item) => typeof item !== 'object')
  if (node === null) return into
  if (!isTree || isPlainList) return into.set(path, JSON.stringify(node))
  for (const [key, value] of Object.entries(node)) leaves(value, path === '' ? key : `${path}.${key}`, into)
  return into
}

function without(root: Tree, lost: readonly string[]): unknown {
  const strip = (node: unknown, path: string): unknown => {
    if (typeof node !== 'object' || node === null) return node
    const kept = Object.entries(node).flatMap(([key, value]) => {
      const at = path === '' ? key : `${path}.${key}`
      if (lost.includes(at)) return []
      const stripped = strip(value, at)
      // a list of which every item is lost is none
      const isGone = Array.isArray(value) && value.length > 0 && (stripped as readonly unknown[]).length === 0
      return isGone ? [] : [[key, stripped] as const]
    })
    return Array.isArray(node) ? kept.map(([, value]) => value) : Object.fromEntries(kept)
  }
  return strip(root, '')
}
