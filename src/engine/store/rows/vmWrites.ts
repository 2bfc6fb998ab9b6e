import type { Nic } from '../../../model/nic.ts'
import type { Vm } from '../../../model/vm.ts'
import { chunks, countUp } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import { toLayerRows, toLayerVolumeRows } from './layer.ts'
import { toDiskRows, toNicRows, toVmRow } from './vm.ts'

/** Inserts or replaces VMs with their disks, NICs and layers; returns them as they are now, every NIC with its id. */
export async function writeVms(sql: Sql, vms: readonly Vm[], rev: number): Promise<readonly Vm[]> {
  const uuids = vms.map((vm) => vm.uuid)
  const numbered = await numberNics(sql, vms)
  for (const some of chunks(uuids)) {
    await sql.deleteFrom('disks').where('vm', 'in', some).execute()
    await sql.deleteFrom('nics').where('vm', 'in', some).execute()
    await sql.deleteFrom('layers').where('vm', 'in', some).execute()
  }
  for (const rows of chunks(numbered.map((vm) => toVmRow(vm, rev)))) await upsertVms(sql, rows)
  for (const rows of chunks(numbered.flatMap(toDiskRows))) await sql.insertInto('disks').values(rows).execute()
  for (const rows of chunks(numbered.flatMap(toNicRows))) await sql.insertInto('nics').values(rows).execute()
  for (const rows of chunks(numbered.flatMap(toLayerRows))) await sql.insertInto('layers').values(rows).execute()
  for (const rows of chunks(numbered.flatMap(toLayerVolumeRows)))
    await sql.insertInto('layerVolumes').values(rows).execute()
  return numbered
}

async function upsertVms(sql: Sql, rows: ReturnType<typeof toVmRow>[]): Promise<void> {
  const columns = Object.keys(rows[0]!).filter((column) => column !== 'uuid') as (keyof ReturnType<typeof toVmRow>)[]
  await sql
    .insertInto('vms')
    .values(rows)
    .onConflict((conflict) =>
      conflict
        .column('uuid')
        .doUpdateSet((eb) => Object.fromEntries(columns.map((column) => [column, eb.ref(`excluded.${column}`)]))),
    )
    .execute()
}

/** A NIC that comes without a number and has the address of one that was there keeps that one's. */
async function numberNics(sql: Sql, vms: readonly Vm[]): Promise<readonly Vm[]> {
  const unnumbered = vms.filter((vm) => vm.nics.some((nic) => nic.id === 0)).map((vm) => vm.uuid)
  if (unnumbered.length === 0) return vms
  const before = new Map<string, { id: number; mac: string }[]>(unnumbered.map((uuid) => [uuid, []]))
  for (const some of chunks(unnumbered)) {
    const rows = await sql.selectFrom('nics').select(['id', 'vm', 'mac']).where('vm', 'in', some).execute()
    for (const row of rows) before.get(row.vm)?.push(row)
  }
  const kept = vms.map((vm) => ({ ...vm, nics: keepNumbers(vm.nics, before.get(vm.uuid) ?? []) }))
  const missing = kept.reduce((sum, vm) => sum + vm.nics.filter((nic) => nic.id === 0).length, 0)
  if (missing === 0) return kept
  let next = (await countUp(sql, 'nic', missing)) - missing + 1
  return kept.map((vm) => ({ ...vm, nics: vm.nics.map((nic) => (nic.id === 0 ? { ...nic, id: next++ } : nic)) }))
}

function keepNumbers(nics: readonly Nic[], before: readonly { id: number; mac: string }[]): readonly Nic[] {
  const free = before.filter((old) => old.mac !== '' && !nics.some((nic) => nic.id === old.id))
  return nics.map((nic) => {
    const index = nic.id === 0 ? free.findIndex((old) => old.mac === nic.mac) : -1
    return index < 0 ? nic : { ...nic, id: free.splice(index, 1)[0]!.id }
  })
}
