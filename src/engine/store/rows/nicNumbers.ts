import type { Nic } from '../../../model/nic.ts'
import type { Vm } from '../../../model/vm.ts'
import { chunks, countUp } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'

/** A NIC that comes without a number and has the address of one that was there keeps that one's. */
export async function numberNics(sql: Sql, vms: readonly Vm[]): Promise<readonly Vm[]> {
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
