import { changedWords, describes, describesToo, disksApart, mergeSpec } from '../../../model/described.ts'
import { PengxError } from '../../../model/error.ts'
import { layersOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import type { ReadConfig } from '../../hypervisor/hypervisor.ts'
import type { Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { configPathFor } from './domain.ts'

/**
 * What the file that describes a VM says at this moment. It is the VM's: its row follows it, except that snapshots tie
 * disks to their volumes, which no file can tell from others.
 */

/** The file that describes a VM: its owner's, or the one that pengx keeps for those that it has made. */
export function configPathOf(vm: Pick<Vm, 'uuid' | 'configPath'>): string {
  return vm.configPath ?? configPathFor(vm.uuid)
}

/**
 * The VM's file, read now; undefined where it is pengx's own and is not there (it is printed then). `refused` where its
 * owner's is gone, is another VM's, or where xl would not take it; `commandFailed` where it cannot be read.
 */
export async function configNow(cx: Context, vm: Vm): Promise<ReadConfig | undefined> {
  const path = configPathOf(vm)
  const host = cx.host(vm.pm)
  const config = await cx.hypervisor.readConfig(host, path).catch((error: unknown) => {
    if (!(error instanceof PengxError) || (error.code !== 'notFound' && error.code !== 'invalid')) throw error
    if (error.code === 'notFound' && !vm.configForeign) return undefined
    const hint = 'put it right, or choose another file: vm.config'
    throw new PengxError('refused', `the configuration of ${vm.name}: ${error.message}: ${hint}`, { cause: error })
  })
  if (config?.uuid !== undefined && config.uuid !== vm.uuid) {
    const text = `${path} is the configuration of another VM now (UUID ${config.uuid}), not of ${vm.name}`
    throw new PengxError('refused', `${text}: choose another file: vm.config`)
  }
  return config
}

/**
 * The row as its file has it now, which is told where it is another; else the very row. `refused` where the file names
 * other volumes than those that its snapshots lie under.
 */
export function takenIn(cx: Context, row: Vm, { spec, path }: Pick<ReadConfig, 'spec' | 'path'>): Vm {
  const apart = layersOf(row).length > 0 ? disksApart(row, spec) : undefined
  if (apart !== undefined) {
    const text = `${path} names ${apart}, on which its snapshots count`
    throw new PengxError('refused', `${row.name}: ${text}: put it right there, or by vm.config, which writes them in`)
  }
  const vm = mergeSpec(row, spec)
  const words = changedWords(row, vm)
  if (words === '') return row
  cx.notice(`${path} was changed by its owner, and is taken in: ${words}`)
  return vm
}

/**
 * Why what the VM's disks lie on cannot be changed: other files describe it too, and a start from one of them would run it
 * on what its disks were. Undefined where there are none, or none that would be started from by itself and of which
 * nobody has said that it is another's.
 */
export function refuseManyConfigs(vm: Vm, view: View): string | undefined {
  const found = (view.getPm(vm.pm)?.seen.configs ?? []).filter((file) => describesToo(file, vm))
  return found.length === 0 ? undefined : manyWords(vm, found)
}

/** As `refuseManyConfigs`, by looking at the PM's files now: `refused`. */
export async function needOneConfig(cx: Context, vm: Vm): Promise<void> {
  const own = configPathOf(vm)
  const files = await cx.hypervisor.configFiles(cx.host(vm.pm), cx.signal)
  const others = files.filter((file) => {
    const isOwn = [file.path, ...file.links].includes(own)
    return describes(file, vm) && !isOwn && describesToo({ ...file, vm: vm.uuid }, vm)
  })
  if (others.length > 0) throw new PengxError('refused', `${vm.name}: ${manyWords(vm, others)}`)
}

function manyWords(vm: Vm, others: readonly { readonly path: string }[]): string {
  const paths = others.map(({ path }) => path).join(' and ')
  const text = `${paths} ${others.length === 1 ? 'describes' : 'describe'} it too, beside ${configPathOf(vm)}`
  return `${text}, and would not know of its new disks: choose one (vm.config --config PATH --link)`
}
