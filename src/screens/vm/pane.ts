import { formatAge, formatDate } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { wrapCells } from '../../lib/text.ts'
import { loadedCds } from '../../model/drive.ts'
import { DEEP, depthOf, snapshotBelow } from '../../model/layer.ts'
import { type Autostart, hasDomain, type Vm } from '../../model/vm.ts'
import { type Line, line, type Span, span } from '../../ui/line.ts'
import { facts } from '../../ui/panel.ts'
import { pmName } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { lastJobs, notNow } from '../ask/subjectLines.ts'
import { backupAge, backupFacts } from '../backup/facts.ts'
import type { KeyRow } from '../screen.ts'
import { count, jobSign, jobStatus, signSpan, vmSign, wrongVolumeLine } from '../words.ts'
import { vncText } from './list.ts'

/** One VM in a pane: what it is, what lies under it, what happened to it, and what cannot be done now and why. */
export function vmPane(app: AppContext, vm: Vm, keys: readonly KeyRow[], width: number): Line[] {
  const lines: Line[] = [statusLine(app, vm), []]
  lines.push(...wrongVolumeLines(vm, width), ...vmFacts(app, vm), ...driftLines(vm, width))
  lines.push([], heading('Disks'))
  for (const disk of vm.disks) {
    const where =
      disk.storlink === undefined ? disk.path : `${disk.storlink} ${app.view().getStorlink(disk.storlink)?.name ?? ''}`
    lines.push(
      line(
        `  ${disk.vdev.padEnd(5)} ${(disk.sizeMib === undefined ? '?' : formatMib(disk.sizeMib)).padEnd(9)} ${disk.format.padEnd(5)} ${where}`,
      ),
    )
  }
  if (vm.disks.length === 0) lines.push(line(span('  none', 'dim')))
  lines.push(heading('Interfaces'))
  for (const nic of vm.nics) lines.push(line(`  ${nic.name.padEnd(5)} ${nic.bridge.padEnd(9)} ${nic.ip || nic.mac}`))
  if (vm.nics.length === 0) lines.push(line(span('  none', 'dim')))
  lines.push(...lastJobs(app, vm.uuid), ...notNow(app, { kind: 'vm', id: vm.uuid, name: vm.name }, keys, width))
  return lines
}

function heading(text: string): Line {
  return line(span(` ${text}`, 'strong'))
}

function statusLine(app: AppContext, vm: Vm): Line {
  const job = app.view().jobOn('vm', vm.uuid)
  const busy = job ? [{ text: '  ' }, span(jobStatus(job, app.engine), jobSign(job).tone)] : []
  const found = vm.origin === 'found' ? [span('  found', 'warn'), { text: ': A adopts' }] : []
  return [
    { text: ' ' },
    signSpan(vmSign(vm)),
    span(` ${formatAge(app.now() - vm.seen.since)}`, 'dim'),
    ...busy,
    ...found,
  ]
}

function vmFacts(app: AppContext, vm: Vm): Line[] {
  const boot = [vm.boot.kernel ?? vm.boot.bootloader ?? vm.boot.firmware, ...loadedCds(vm)].filter(Boolean).join(', ')
  return facts(
    [
      ['uuid', vm.uuid],
      vm.os ? ['os', [vm.os, vm.osArch].filter(Boolean).join(', ')] : undefined,
      vm.template === undefined ? undefined : ['from', fromText(app, vm)],
      ['PM', pmName(vm, app)],
      vm.layer === undefined ? undefined : ['lies on', layerText(vm)],
      ['type', `${vm.type.toUpperCase()}${boot ? `, ${boot}` : ''}`],
      ['vcpus', vm.vcpuCount === vm.maxVcpuCount ? String(vm.vcpuCount) : `${vm.vcpuCount} (max ${vm.maxVcpuCount})`],
      [
        'memory',
        vm.memoryMib === vm.maxmemMib
          ? formatMib(vm.memoryMib)
          : `${formatMib(vm.memoryMib)} (max ${formatMib(vm.maxmemMib)})`,
      ],
      hasDomain(vm.seen.state) && vm.vnc ? ['vnc', vncText(vm, app)] : undefined,
      vm.bootedAt && hasDomain(vm.seen.state)
        ? ['booted', `${formatDate(vm.bootedAt)} (${formatAge(app.now() - vm.bootedAt)})`]
        : undefined,
      vm.seen.autostart === undefined ? undefined : ['starts', startText(vm.seen.autostart)],
      ['backup', backupText(app, vm)],
      vm.desc ? ['note', vm.desc] : undefined,
    ],
    8,
  )
}

/** The snapshot that it goes on from, and how deep that is. */
function layerText(vm: Vm): string | Span {
  const depth = depthOf(vm)
  const name = snapshotBelow(vm, { parent: vm.layer })?.name ?? 'a layer without a name'
  if (depth < DEEP) return `${name}, ${count(depth, 'layer')}`
  return span(`${name}, ${count(depth, 'layer')}: each slows its reads`, 'warn')
}

/** The newest that it can be restored from. */
function backupText(app: AppContext, vm: Vm): string | Span {
  const newest = backupFacts(app).newestGood.get(vm.uuid)
  const age = backupAge(vm, app)
  return newest === undefined ? age : `${formatDate(newest.createdAt)} (${age.text} old)`
}

function startText({ order }: Autostart): string {
  return order === undefined ? 'with its PM' : `with its PM, order ${order}`
}

function fromText(app: AppContext, { uuid, template, disks }: Vm): string {
  const name = app.view().getTemplate(template ?? '')?.name ?? 'a template that is gone'
  if (template === uuid) return `${name}, for upkeep`
  return disks.some(({ base }) => base !== undefined) ? `${name}, as overlay` : name
}

/** The loudest of all that can be said of a VM. */
function wrongVolumeLines(vm: Vm, width: number): Line[] {
  const { wrongVolumes = [] } = vm.seen
  const lines = wrongVolumes.flatMap((wrong) =>
    wrapCells(wrongVolumeLine(vm, wrong), width - 5).map((part, at) =>
      line(span(at === 0 ? '  ! ' : '    ', 'bad'), span(part, 'bad')),
    ),
  )
  return lines.length === 0 ? [] : [...lines, []]
}

function driftLines(vm: Vm, width: number): Line[] {
  const { fileSays, autostart } = vm.seen
  const drift = [...vm.seen.drift, ...(fileSays === undefined ? [] : [fileSays])]
  const lines = drift.length === 0 ? [] : [[], line(span(' Differs from what is written down', 'warn'))]
  return [...lines, ...drift.flatMap((text) => warningLines(text, width)), ...unstartedLines(autostart, width)]
}

/** It is to start with its PM, and does not. */
function unstartedLines(autostart: Autostart | undefined, width: number): Line[] {
  if (!autostart?.disabled) return []
  return [[], ...warningLines('its PM does not start it: the service xendomains is not enabled there', width)]
}

function warningLines(text: string, width: number): Line[] {
  return wrapCells(text, width - 5).map((part, at) => line(at === 0 ? span('  ▲ ', 'warn') : '    ', part))
}
