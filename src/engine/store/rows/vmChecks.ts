import { PengxError } from '../../../model/error.ts'
import { volumesOf } from '../../../model/layer.ts'
import type { Vm } from '../../../model/vm.ts'
import { chunks } from '../sqlite/counters.ts'
import type { Sql } from '../sqlite/database.ts'
import { isManaged } from './vmRows.ts'

/**
 * What the constraints would refuse, said in words and with the name of the other. The constraints stand behind it;
 * that both look at the same state is what the immediate transaction around them is for.
 */
export async function checkVms(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const managed = vms.filter(isManaged)
  for (const vm of managed) checkWithin(vm)
  await checkPms(sql, vms)
  await checkStorlinks(sql, vms)
  await checkTemplates(sql, vms)
  await checkDisks(sql, vms)
  await checkNames(sql, managed)
  await checkMacs(sql, managed)
}

/** Of two among these that claim one thing, and of one here and one in the store, the other is named. */
type Claim = { readonly uuid: string; readonly name: string }

function claimAll<T>(
  vms: readonly Vm[],
  claimsOf: (vm: Vm) => readonly T[],
  refuse: (vm: Vm, claim: T, other: Claim) => never,
) {
  const claims = new Map<T, Vm>()
  for (const vm of vms) {
    for (const claim of claimsOf(vm)) {
      const other = claims.get(claim)
      if (other && other.uuid !== vm.uuid) refuse(vm, claim, other)
      claims.set(claim, vm)
    }
  }
  return claims
}

function checkWithin(vm: Vm): void {
  const vdev = firstTwice(vm.disks.map((disk) => disk.vdev))
  if (vdev !== undefined) throw new PengxError('conflict', `cannot keep VM ${vm.name}: two of its disks are ${vdev}`)
  const mac = firstTwice(macsOf(vm))
  if (mac !== undefined)
    throw new PengxError('conflict', `cannot keep VM ${vm.name}: two of its network interfaces have the address ${mac}`)
}

async function checkNames(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const refuse = (vm: Vm, name: string, other: Claim): never => {
    throw new PengxError('conflict', `cannot keep VM ${name} (${vm.uuid}): VM ${other.uuid} has that name`)
  }
  const claims = claimAll(vms, (vm) => [vm.name], refuse)
  for (const names of chunks([...claims.keys()])) {
    const others = await sql
      .selectFrom('vms')
      .select(['uuid', 'name'])
      .where('name', 'in', names)
      .where('origin', '<>', 'found')
      .execute()
    for (const other of others) {
      const vm = claims.get(other.name)!
      if (other.uuid !== vm.uuid) refuse(vm, other.name, other)
    }
  }
}

async function checkMacs(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const refuse = (vm: Vm, mac: string, other: Claim): never => {
    throw new PengxError(
      'conflict',
      `cannot keep VM ${vm.name}: VM ${other.name} (${other.uuid}) has the network address ${mac} too`,
    )
  }
  const claims = claimAll(vms, macsOf, refuse)
  for (const macs of chunks([...claims.keys()])) {
    const others = await sql
      .selectFrom('nics')
      .innerJoin('vms', 'vms.uuid', 'nics.vm')
      .select((eb) => ['vms.uuid', 'vms.name', eb.fn<string>('lower', ['nics.mac']).as('mac')])
      .where((eb) => eb(eb.fn('lower', ['nics.mac']), 'in', macs))
      .where('nics.managed', '=', 1)
      // As the index says it: without these words it is not used.
      .where('nics.mac', '<>', '')
      .execute()
    for (const other of others) {
      const vm = claims.get(other.mac)!
      if (other.uuid !== vm.uuid) refuse(vm, other.mac, other)
    }
  }
}

async function checkDisks(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const refuse = (vm: Vm, disk: string, other: Claim): never => {
    throw new PengxError(
      'conflict',
      `cannot keep VM ${vm.name}: its disk ${disk} is a disk of VM ${other.name} (${other.uuid}) already`,
    )
  }
  const claims = claimAll(vms, (vm) => vm.disks.map((disk) => disk.uuid), refuse)
  for (const disks of chunks([...claims.keys()])) {
    const others = await sql
      .selectFrom('disks')
      .innerJoin('vms', 'vms.uuid', 'disks.vm')
      .select(['vms.uuid', 'vms.name', 'disks.uuid as disk'])
      .where('disks.uuid', 'in', disks)
      .execute()
    for (const other of others) {
      const vm = claims.get(other.disk)!
      if (other.uuid !== vm.uuid) refuse(vm, other.disk, other)
    }
  }
}

async function checkPms(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const wanted = [...new Set(vms.map((vm) => vm.pm))]
  const known = new Set<string>()
  for (const some of chunks(wanted)) {
    for (const row of await sql.selectFrom('pms').select('uuid').where('uuid', 'in', some).execute())
      known.add(row.uuid)
  }
  const orphan = vms.find((vm) => !known.has(vm.pm))
  if (orphan) throw new PengxError('notFound', `cannot keep VM ${orphan.name}: no PM ${orphan.pm} is known`)
}

async function checkStorlinks(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const wanted = new Map<number, Vm>()
  for (const vm of vms) {
    for (const { storlink } of volumesOf(vm)) if (storlink !== undefined) wanted.set(storlink, vm)
  }
  for (const some of chunks([...wanted.keys()])) {
    const rows = await sql.selectFrom('storlinks').select('id').where('id', 'in', some).execute()
    const known = new Set(rows.map((row) => row.id))
    const unknown = some.find((id) => !known.has(id))
    if (unknown !== undefined)
      throw new PengxError(
        'notFound',
        `cannot keep VM ${wanted.get(unknown)!.name}: a disk of it lies on storlink ${unknown}, which is not known`,
      )
  }
}

async function checkTemplates(sql: Sql, vms: readonly Vm[]): Promise<void> {
  const wanted = new Map(vms.flatMap((vm) => (vm.template === undefined ? [] : [[vm.template, vm] as const])))
  for (const some of chunks([...wanted.keys()])) {
    const rows = await sql.selectFrom('templates').select('uuid').where('uuid', 'in', some).execute()
    const known = new Set(rows.map((row) => row.uuid))
    const unknown = some.find((uuid) => !known.has(uuid))
    if (unknown !== undefined)
      throw new PengxError('notFound', `cannot keep VM ${wanted.get(unknown)!.name}: no template ${unknown} is known`)
  }
}

function macsOf(vm: Vm): string[] {
  return vm.nics.map((nic) => nic.mac.toLowerCase()).filter((mac) => mac !== '')
}

function firstTwice(values: readonly string[]): string | undefined {
  return values.find((value, index) => values.indexOf(value) !== index)
}
