import { quoteString } from '../syntax.ts'
import { listOf } from './lines.ts'
import type { TreeReader } from './tree.ts'
import type { Said } from './words.ts'

/** Parameters of xl.cfg(5) that say more than one key (xl_parse.c). */
export function readPairs(create: TreeReader, build: TreeReader, own: TreeReader): Said[] {
  return [...readLabels(create, build), ...readViridian(own), ...readGraphics(own), ...readBios(own)]
}

const line = (parameter: string, value: string): Said => ({ parameter, text: `${parameter} = ${value}` })

/** A label while it is built makes `seclabel` the one that it runs under. */
function readLabels(create: TreeReader, build: TreeReader): Said[] {
  const first = create.text('ssid_label')
  const then = build.peek('exec_ssid_label')
  if (first === undefined) return []
  if (typeof then !== 'string') return [line('seclabel', quoteString(first))]
  build.take('exec_ssid_label')
  return [line('init_seclabel', quoteString(first)), line('seclabel', quoteString(then))]
}

/** By their numbers (libxl_types.idl). */
const VIRIDIAN = [
  'base',
  'freq',
  'time_ref_count',
  'reference_tsc',
  'hcall_remote_tlb_flush',
  'apic_assist',
  'crash_ctl',
  'synic',
  'stimer',
  'hcall_ipi',
  'ex_processor_masks',
  'no_vp_limit',
  'cpu_hotplug',
]

/** `all` sets every bit that there is room for (LIBXL_BUILDINFO_HVM_VIRIDIAN_ENABLE_DISABLE_WIDTH). */
const ALL = 64

function viridianNames(own: TreeReader, key: string): string[] {
  const bits = own.peek(key)
  if (!Array.isArray(bits)) return []
  const names = bits.flatMap((bit) => VIRIDIAN[bit] ?? [])
  if (bits.length === ALL && key === 'viridian_enable') names.splice(0, names.length, 'all')
  else if (names.length !== bits.length) return []
  own.take(key)
  return names
}

function readViridian(own: TreeReader): Said[] {
  const base = own.peek('viridian')
  const enabled = viridianNames(own, 'viridian_enable')
  const disabled = viridianNames(own, 'viridian_disable').map((name) => `!${name}`)
  if (enabled.length + disabled.length === 0) {
    if (base !== 'True' && base !== 'False') return []
    own.take('viridian')
    return [line('viridian', base === 'True' ? '1' : '0')]
  }
  // a list cannot say that there are none
  if (base === 'True') own.take('viridian')
  return [line('viridian', listOf([...(base === 'True' ? ['defaults'] : []), ...enabled, ...disabled]))]
}

function readGraphics(own: TreeReader): Said[] {
  const through = own.peek('gfx_passthru')
  if (through !== 'True' && through !== 'False') return []
  own.take('gfx_passthru')
  if (through === 'False') return [line('gfx_passthru', '0')]
  const kind = own.text('gfx_passthru_kind')
  return [line('gfx_passthru', kind === undefined ? '1' : quoteString(kind))]
}

/** Beside a firmware of its own a guest may have a kind of it. */
function readBios(own: TreeReader): Said[] {
  const bios = own.peek('bios')
  if (own.peek('firmware') === undefined || typeof bios !== 'string') return []
  own.take('bios')
  return [line('bios', quoteString(bios))]
}
