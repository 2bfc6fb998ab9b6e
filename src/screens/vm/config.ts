import type { Disk } from '../../model/disk.ts'
import { type Drive, inListOrder, isDrive } from '../../model/drive.ts'
import type { Vm } from '../../model/vm.ts'
import { listenAddress } from '../../model/vnc.ts'
import { type Line, line, span } from '../../ui/line.ts'

/** What a start would make of it, as far as pengx knows it, and the lines it only keeps. The password is not shown. */
export function configLines(vm: Vm): Line[] {
  const rows: readonly (readonly [string, string | number | undefined])[] = [
    ['name', vm.domainName],
    ['uuid', vm.uuid],
    ['type', vm.type],
    ['vcpus', vm.vcpuCount],
    ['maxvcpus', vm.maxVcpuCount],
    ['memory', `${vm.memoryMib} MiB`],
    ['maxmem', `${vm.maxmemMib} MiB`],
    ['kernel', vm.boot.kernel],
    ['ramdisk', vm.boot.ramdisk],
    ['cmdline', vm.boot.cmdline],
    ['bootloader', vm.boot.bootloader],
    ['firmware', vm.boot.firmware],
    ['boot', vm.boot.order],
    ['vnc', vncRow(vm)],
    ...inListOrder(vm).map((one): [string, string] => ['disk', isDrive(one) ? driveWords(one) : diskWords(one)]),
    ...vm.nics.map(({ mac, bridge, model, extra }): [string, string] => [
      'vif',
      [mac, bridge, model, extra].filter(Boolean).join(', '),
    ]),
  ]
  const lines = rows.flatMap(([name, value]): Line[] =>
    value === undefined || value === '' ? [] : [line(span(` ${name.padEnd(11)}`, 'dim'), String(value))],
  )
  return [fileLine(vm), ...startedLines(vm), [], ...lines, ...keptLines(vm)]
}

function diskWords({ vdev, format, path, readOnly }: Disk): string {
  return `${vdev}, ${format}, ${readOnly ? 'read-only' : 'read-write'}, ${path}`
}

function driveWords({ vdev, cdrom, path, text }: Drive): string {
  return cdrom ? `${vdev}, CD drive, ${path || 'empty'}` : (text ?? `${vdev}, ${path}`)
}

function fileLine(vm: Vm): Line {
  if (vm.configPath === undefined) return line(' no configuration file: a domain that was found running')
  const whose = vm.configForeign ? 'its owner’s, edited in its place' : 'written by pengx'
  return line(' ', span(vm.configPath, 'strong'), span(`   ${whose}`, 'dim'))
}

/** By what its PM starts it: its file, or links to that. */
function startedLines({ seen }: Vm): Line[] {
  return (seen.autostart?.paths ?? []).map((path) => line(span(' started with its PM by ', 'dim'), path))
}

function vncRow(vm: Vm): string | undefined {
  if (vm.vnc === undefined) return undefined
  const display = vm.vnc.display === undefined ? 'any display' : `display ${vm.vnc.display}`
  return `${listenAddress(vm.vnc)}, ${display}, ${vm.vnc.password ? 'password ***' : 'no password'}`
}

function keptLines(vm: Vm): Line[] {
  const kept = vm.extraConfig.split('\n').filter((text) => text.trim() !== '')
  if (kept.length === 0) return []
  return [[], line(span(' kept as it stands in the file', 'dim')), ...kept.map((text) => line(` ${text}`))]
}
