import type { Engine } from '../engine/engine.ts'
import { formatDate, formatSpan } from '../lib/age.ts'
import { formatMbit, formatMbyte, formatMib } from '../lib/bytes.ts'
import { shortUuid } from '../lib/ids.ts'
import type { Job } from '../model/job.ts'
import type { PerfSample } from '../model/perf.ts'
import type { Pm } from '../model/pm.ts'
import { copyOf } from '../model/twin.ts'
import type { Vm } from '../model/vm.ts'
import { wrongVolumeText } from '../model/wrongVolume.ts'
import { backups, schedules } from './backupLists.ts'
import { disks, nics } from './deviceLists.ts'
import { byName, iso, listing, pmName } from './listing.ts'
import { snapshots } from './snapshotLists.ts'
import { storlinks, templates } from './storageLists.ts'

const twinsOf = (pm: Pm, engine: Engine) => engine.view.pms().filter(({ seen }) => seen.twinOf === pm.uuid)

/** What `pengx pms`, `vms`, `perf` and `jobs` print. */
const pms = listing<Pm>(
  (engine) => byName(engine.view.pms()),
  (engine) => [
    { title: 'NAME', text: (pm) => pm.name },
    { title: 'STATUS', text: (pm) => (pm.readOnly ? `${pm.seen.reach} [RO]` : pm.seen.reach) },
    { title: 'VMS', align: 'right', text: (pm) => String(engine.view.vmsOn(pm.uuid).length) },
    { title: 'CPUS', align: 'right', text: (pm) => String(pm.cpuCount) },
    { title: 'MEMORY', align: 'right', text: (pm) => formatMib(pm.memoryMib) },
    { title: 'FREE', align: 'right', text: (pm) => (pm.seen.freeMib === undefined ? '' : formatMib(pm.seen.freeMib)) },
    { title: 'XEN', text: (pm) => pm.seen.xenVersion ?? '' },
    { title: 'UUID', text: (pm) => shortUuid(pm.uuid) },
    { title: 'DESTINATION', text: (pm) => pm.destination },
    { title: 'PROBLEM', text: (pm) => pm.seen.problem ?? twinsOf(pm, engine).map(copyOf).join('; ') },
  ],
  (pm, engine) => ({
    uuid: pm.uuid,
    name: pm.name,
    destination: pm.destination,
    reach: pm.seen.reach,
    since: iso(pm.seen.since),
    seenAt: iso(pm.seen.at),
    problem: pm.seen.problem,
    twinOf: pm.seen.twinOf,
    twins: twinsOf(pm, engine).map(({ destination }) => destination),
    alsoAt: pm.seen.alsoAt ?? [],
    readOnly: pm.readOnly,
    vmCount: engine.view.vmsOn(pm.uuid).length,
    cpuCount: pm.cpuCount,
    memoryMib: pm.memoryMib,
    freeMib: pm.seen.freeMib,
    load: pm.seen.load,
    xenVersion: pm.seen.xenVersion,
    kernel: pm.seen.kernel,
    bootedAt: iso(pm.seen.bootedAt),
    bridges: pm.seen.bridges ?? [],
  }),
)

function diskMib(vm: Vm): number {
  return vm.disks.reduce((sum, disk) => sum + (disk.sizeMib ?? 0), 0)
}

function wrongVolumesOf(vm: Vm): string[] {
  const all = vm.seen.wrongVolumes ?? []
  return all.map((wrong) => wrongVolumeText(wrong, formatDate(vm.bootedAt ?? wrong.since)))
}

const vms = listing<Vm>(
  (engine) => byName(engine.view.vms()),
  (engine) => [
    { title: 'NAME', text: (vm) => vm.name },
    { title: 'STATE', text: (vm) => vm.seen.state },
    { title: 'PM', text: (vm) => pmName(engine, vm.pm) },
    { title: 'TYPE', text: (vm) => vm.type },
    { title: 'VCPUS', align: 'right', text: (vm) => String(vm.vcpuCount) },
    { title: 'MEMORY', align: 'right', text: (vm) => formatMib(vm.memoryMib) },
    { title: 'DISK', align: 'right', text: (vm) => (diskMib(vm) === 0 ? '' : formatMib(diskMib(vm))) },
    { title: 'ORIGIN', text: (vm) => vm.origin },
    { title: 'UUID', text: (vm) => shortUuid(vm.uuid) },
    {
      title: 'NOTE',
      text: (vm) =>
        [...wrongVolumesOf(vm), ...vm.seen.drift, ...(vm.seen.fileSays ? [vm.seen.fileSays] : [])].join('; '),
    },
  ],
  (vm, engine) => ({
    uuid: vm.uuid,
    name: vm.name,
    pm: pmName(engine, vm.pm),
    pmUuid: vm.pm,
    state: vm.seen.state,
    since: iso(vm.seen.since),
    domid: vm.seen.domid,
    origin: vm.origin,
    type: vm.type,
    vcpuCount: vm.vcpuCount,
    memoryMib: vm.memoryMib,
    maxmemMib: vm.maxmemMib,
    disks: vm.disks.map(({ uuid, vdev, format, sizeMib, path, storlink, readOnly }) => ({
      uuid,
      vdev,
      format,
      sizeMib,
      path,
      storlink,
      readOnly,
    })),
    nics: vm.nics.map(({ id, name, mac, bridge, ip }) => ({ id, name, mac, bridge, ip })),
    vncPort: vm.seen.vncPort,
    desc: vm.desc,
    os: vm.os,
    osArch: vm.osArch,
    configPath: vm.configPath,
    autostart: vm.seen.autostart !== undefined,
    autostartOrder: vm.seen.autostart?.order,
    autostartPaths: vm.seen.autostart?.paths ?? [],
    createdAt: iso(vm.createdAt),
    bootedAt: iso(vm.bootedAt),
    drift: vm.seen.drift,
    fileSays: vm.seen.fileSays,
    wrongVolumes: (vm.seen.wrongVolumes ?? []).map(({ since, ...wrong }) => ({ ...wrong, since: iso(since) })),
  }),
)

interface PerfRow {
  readonly kind: 'pm' | 'vm'
  readonly uuid: string
  readonly name: string
  readonly pm: string
  readonly sample: PerfSample | undefined
}

function perfRows(engine: Engine): PerfRow[] {
  return byName(engine.view.pms()).flatMap((pm) => [
    { kind: 'pm' as const, uuid: pm.uuid, name: pm.name, pm: pm.name, sample: engine.view.rates(pm.uuid) },
    ...byName(engine.view.vmsOn(pm.uuid)).flatMap((vm) => {
      const sample = vm.seen.domid === undefined ? undefined : engine.view.rates(vm.uuid)
      return sample ? [{ kind: 'vm' as const, uuid: vm.uuid, name: vm.name, pm: pm.name, sample }] : []
    }),
  ])
}

const shown = (value: number | undefined, format: (value: number) => string) =>
  value === undefined ? '' : format(value)

const perf = listing<PerfRow>(
  perfRows,
  () => [
    { title: 'KIND', text: (row) => row.kind },
    { title: 'NAME', text: (row) => row.name },
    { title: 'PM', text: (row) => row.pm },
    { title: 'CPU%', align: 'right', text: (row) => shown(row.sample?.cpuPercent, (value) => value.toFixed(1)) },
    { title: 'MEMORY', align: 'right', text: (row) => shown(row.sample?.memoryMib, formatMib) },
    { title: 'RX Mb/s', align: 'right', text: (row) => shown(row.sample?.rxBytes, formatMbit) },
    { title: 'TX Mb/s', align: 'right', text: (row) => shown(row.sample?.txBytes, formatMbit) },
    { title: 'READ MB/s', align: 'right', text: (row) => shown(row.sample?.readBytes, formatMbyte) },
    { title: 'WRITE MB/s', align: 'right', text: (row) => shown(row.sample?.writeBytes, formatMbyte) },
  ],
  ({ sample, ...row }) => ({
    ...row,
    at: iso(sample?.at),
    cpuPercent: sample?.cpuPercent,
    memoryMib: sample?.memoryMib,
    rxBytesPerSecond: sample?.rxBytes,
    txBytesPerSecond: sample?.txBytes,
    readBytesPerSecond: sample?.readBytes,
    writeBytesPerSecond: sample?.writeBytes,
  }),
)

const took = (job: Job) => {
  if (job.startedAt === undefined) return ''
  return formatSpan((job.finishedAt ?? Date.now()) - job.startedAt)
}

/** A job as scripts see it, in the list and after `run --json`. */
export function jobObject(job: Job): object {
  return {
    id: job.id,
    number: job.number,
    operation: job.operation,
    subject: { kind: job.subject.kind, id: job.subject.id, name: job.subject.name },
    state: job.state,
    by: job.by,
    progress: job.progress,
    step: job.step,
    stepIndex: job.stepIndex,
    stepCount: job.stepCount,
    createdAt: iso(job.createdAt),
    startedAt: iso(job.startedAt),
    finishedAt: iso(job.finishedAt),
    code: job.code,
    message: job.message,
  }
}

const jobs = listing<Job>(
  (engine) => engine.view.jobs(),
  () => [
    { title: 'JOB', align: 'right', text: (job) => String(job.number) },
    { title: 'WHAT', text: (job) => job.operation },
    { title: 'ON', text: (job) => job.subject.name },
    { title: 'STATE', text: (job) => job.state },
    { title: 'DONE', align: 'right', text: (job) => `${Math.floor(job.progress * 100)}%` },
    { title: 'STARTED', text: (job) => formatDate(job.startedAt ?? job.createdAt) },
    { title: 'TOOK', align: 'right', text: took },
    { title: 'BY', text: (job) => job.by },
    { title: 'MESSAGE', text: (job) => job.message },
  ],
  jobObject,
)

export const LISTINGS = {
  pms,
  vms,
  perf,
  jobs,
  storlinks,
  templates,
  schedules,
  disks,
  nics,
  snapshots,
  backups,
} as const
