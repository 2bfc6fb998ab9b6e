import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseConfigurations } from '../../src/engine/tools/xl/json/domains.ts'
import type { VmSpec } from '../../src/model/vm.ts'

/** What the real xl read in a configuration of the corpus: libxl's JSON, as `xl -N create` prints it. */
export type Reading = { readonly [key: string]: unknown }

/** Where what was read is recorded, each in a file in one line. */
export const READINGS = join(import.meta.dir, '../transcripts/corpus')

export function recordedReading(name: string): Reading {
  return JSON.parse(readFileSync(join(READINGS, `${name}.json`), 'utf8'))
}

/** Without what libxl rolls dice for. */
export function withoutChance(reading: Reading, isUuidGiven: boolean): Reading {
  const copy = structuredClone(reading) as Record<string, Record<string, Record<string, unknown>>>
  if (!isUuidGiven) delete copy.c_info!.uuid
  const own = copy.b_info!['type.hvm']
  if (own?.ms_vm_genid !== undefined) own.ms_vm_genid = 'any'
  return copy
}

export function specOf(reading: Reading): VmSpec {
  return [...parseConfigurations(JSON.stringify([{ domid: 1, config: reading }]))][0]!.spec
}

/** Without what a configuration and libxl's JSON may say in different words. */
export function comparable(spec: VmSpec): Readonly<Record<string, unknown>> {
  const { boot, extraConfig: _, name: __, ...rest } = spec
  const { kernel, firmware, order, ...others } = boot
  const words: Record<string, string | undefined> = { uefi: 'ovmf', bios: undefined }
  const bios = firmware !== undefined && firmware in words ? words[firmware] : firmware
  // 32 MiB is libxl's own default, which it sets only when it builds
  const [memoryMib, maxmemMib] = [spec.memoryMib || 32, spec.maxmemMib || 32]
  return {
    ...rest,
    memoryMib,
    maxmemMib,
    boot: {
      ...others,
      // xl passes over a PV guest's boot order, and makes a kernel of its firmware
      ...(spec.type === 'hvm' ? { order, kernel, firmware: bios } : { kernel: kernel ?? firmware }),
    },
    disks: spec.disks.map((disk) => ({ ...disk, extra: extraWords(disk.extra) })),
    drives: spec.drives.map(({ text: ___, ...drive }) => drive),
    nics: spec.nics.map(({ extra: ___, ...nic }) => nic),
  }
}

/** In any order, without the one that says what is so anyway. */
function extraWords(extra: string | undefined): string[] {
  const words = extra?.split(',') ?? []
  return words.filter((word) => word !== 'specification=xen').sort()
}

/** Where two readings differ, by their paths: `b_info.target_memkb`, `disks.1.pdev_path`. */
export function differences(one: unknown, other: unknown, path = ''): string[] {
  if (!isTree(one) || !isTree(other)) return Bun.deepEquals(one, other, true) ? [] : [path]
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  return [...keys].flatMap((key) => differences(one[key], other[key], path === '' ? key : `${path}.${key}`))
}

/** A list counts as one whose keys are numbers. */
function isTree(value: unknown): value is Reading {
  return typeof value === 'object' && value !== null
}
