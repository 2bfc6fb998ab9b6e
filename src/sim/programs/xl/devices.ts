/** `xl` lists, attaches and detaches disks and network interfaces of a running guest. */
import { newXenMac } from '../../../lib/ids.ts'
import { vdevNumber } from '../../../model/disk.ts'
import { findNode } from '../../machine/files.ts'
import { backendOf, hasBridge, parseDisk, parseNic } from '../../machine/guestConfig.ts'
import { hasQemu } from '../../machine/guests.ts'
import type { Call, Program } from '../../machine/program.ts'
import { noteDevices } from '../../machine/pseudo.ts'
import type { Domain } from '../../machine/state.ts'
import { findDomain, isGone, needDomain, noType } from './words.ts'

export const blockList: Program = (call) => {
  const lines = [`${'Vdev  BE  handle state evt-ch ring-ref BE-path'.padEnd(69)}`]
  // Its exit says nothing of domains that are not there.
  const domain = domainOfDisks(call)
  if (domain === undefined) {
    call.out(`${lines[0]}\n`)
    return 0
  }
  for (const [index, disk] of domain.config.disks.entries()) {
    const id = vdevNumber(disk.vdev) ?? 0
    const state = (disk.connectedAt ?? 0) <= call.now() ? 4 : 3
    const backend = backendOf(disk) === 'qdisk' ? 'qdisk' : 'vbd'
    const path = `/local/domain/0/backend/${backend}/${domain.domid}/${id}`
    const columns = [
      String(id).padEnd(5),
      '0'.padEnd(3),
      String(domain.domid).padEnd(6),
      String(state).padEnd(5),
      String(9 + index).padEnd(6),
      String(9 + index).padEnd(8),
      path.padEnd(30),
    ]
    lines.push(columns.join(' '))
  }
  call.out(`${lines.join('\n')}\n`)
  return 0
}

/** What xl's commands of disks say of a name that no domain has is without a number; of a domid they say nothing. */
function domainOfDisks(call: Call): Domain | undefined {
  const word = call.argv[1] ?? ''
  const domain = findDomain(call.pm, word)
  if (domain === undefined && !isGone(call, word)) call.err(`${word} is an invalid domain identifier\n`)
  return domain
}

const UNABLE = 'libxl: error: libxl_device.c:1486:device_addrm_aocomplete: unable to add device\n'

export const blockAttach: Program = async (call) => {
  if (isGone(call, call.argv[1])) {
    call.err(`${noType(call.argv[1])}${UNABLE}libxl_device_disk_add failed.\n`)
    return 1
  }
  const domain = domainOfDisks(call)
  if (domain === undefined) return 1
  const disk = parseDisk(call.argv.slice(2).join(','))
  const refuse = (words: string) => {
    call.err(`${words}\n${UNABLE}`)
    call.err('libxl_device_disk_add failed.\n')
    return 1
  }
  if (disk.path !== '' && findNode(call.pm, disk.path) === undefined) {
    return refuse(
      `libxl: error: libxl_device.c:455:libxl__device_disk_set_backend: Disk vdev=${disk.vdev} failed to stat: ${disk.path}: No such file or directory`,
    )
  }
  if (vdevNumber(disk.vdev) === undefined) {
    return refuse(
      `libxl: error: libxl_disk.c:309:device_disk_add: Invalid or unsupported virtual disk identifier ${disk.vdev}`,
    )
  }
  if (domain.config.disks.some((other) => other.vdev === disk.vdev)) {
    return refuse(
      `libxl: error: libxl_disk.c:343:device_disk_add: Domain ${domain.domid}:device already exists in xenstore`,
    )
  }
  if (backendOf(disk) === 'qdisk' && !hasQemu(domain)) {
    return refuse(
      `libxl: error: libxl_dm.c:3845:libxl__dm_check_start: Domain ${domain.domid}:device model required but not running`,
    )
  }
  // It returns while the frontend is still connecting.
  domain.config.disks.push({ ...disk, attached: true, connectedAt: call.now() + 100 * call.world.pace })
  noteDevices(domain, call.now())
  call.world.save()
  return 0
}

export const blockDetach: Program = async (call) => {
  const domain = isGone(call, call.argv[1]) ? undefined : needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const word = call.argv[2] ?? ''
  const id = /^\d+$/.test(word) ? Number(word) : vdevNumber(word)
  const disk = domain?.config.disks.find((one) => vdevNumber(one.vdev) === id)
  if (domain === undefined || disk === undefined) {
    call.err(
      `libxl: error: libxl_disk.c:516:libxl__disk_from_xenstore: disk /libxl/${domain?.domid ?? call.argv[1]}/device/vbd/${id ?? 268439552} does not exist (no backend path\n`,
    )
    call.err(`Error: Device ${word} not connected.\n`)
    return 1
  }
  domain.config.disks = domain.config.disks.filter((one) => one !== disk)
  call.world.save()
  return 0
}

/** Only the first drive has a word here: a real xl looks for the vdev among those that are there. */
function changeCd(call: Call, path: string): number {
  const named = isGone(call, call.argv[1]) ? undefined : needDomain(call, call.argv[1])
  if (typeof named === 'number') return named
  const refuse = (words: string) => {
    call.err(`${words}\n`)
    return 1
  }
  if (path !== '' && findNode(call.pm, path) === undefined) return refuse(`Cannot stat file: ${path}`)
  if (named === undefined) return refuse(noType(call.argv[1] ?? '').trimEnd())
  const domain = named
  if (domain.config.type !== 'hvm')
    return refuse(
      `libxl: error: libxl_disk.c:838:libxl_cdrom_insert: Domain ${domain.domid}:cdrom-insert requires an HVM domain`,
    )
  const drive = domain.config.disks.find((disk) => disk.cdrom && disk.vdev === call.argv[2])
  if (drive === undefined)
    return refuse(`libxl: error: libxl_disk.c:866:libxl_cdrom_insert: Domain ${domain.domid}:Virtual device not found`)
  if (drive.unserved && path !== '') {
    domain.qemuKilled = true
    call.world.save()
    return refuse(
      `libxl: error: libxl_qmp.c:1399:qmp_ev_fd_callback: Domain ${domain.domid}:error on QMP socket: Connection reset by peer`,
    )
  }
  drive.path = path
  drive.format = path === '' ? 'empty' : 'raw'
  call.world.save()
  return 0
}

export const cdInsert: Program = (call) => changeCd(call, call.argv[3] ?? '')

export const cdEject: Program = (call) => changeCd(call, '')

export const networkList: Program = (call) => {
  const lines = ['Idx BE Mac Addr.         handle state evt-ch   tx-/rx-ring-ref BE-path'.padEnd(93)]
  const domain = isGone(call, call.argv[1]) ? 0 : needDomain(call, call.argv[1])
  if (typeof domain === 'number') {
    call.out(`${lines[0]}\n`)
    return domain
  }
  for (const nic of domain.config.nics) {
    const ring = 523 + 514 * nic.devid
    const path = `/local/domain/0/backend/vif/${domain.domid}/${nic.devid}`
    const start = `${String(nic.devid).padEnd(3)} ${'0'.padEnd(2)} ${nic.mac.padEnd(17)} ${String(nic.devid).padStart(5)}`
    lines.push(
      `${start} ${'4'.padStart(5)} ${'-1'.padStart(6)} ${String(ring).padStart(5)}/${String(ring + 1).padEnd(11)} ${path.padEnd(30)}`,
    )
  }
  call.out(`${lines.join('\n')}\n`)
  return 0
}

export const networkAttach: Program = async (call) => {
  if (isGone(call, call.argv[1])) {
    call.err(`${noType(call.argv[1])}${UNABLE}libxl_device_nic_add failed.\n`)
    return 1
  }
  const domain = needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const devid = domain.config.nics.reduce((next, nic) => Math.max(next, nic.devid + 1), 0)
  const nic = parseNic(call.argv.slice(2).join(','), devid, domain.config.type, newXenMac)
  const there = hasBridge(call.pm, nic)
  // A bridge that is not there: xl fails, and the interface stays behind half attached.
  domain.config.nics.push(there ? nic : { ...nic, half: true })
  noteDevices(domain, call.now())
  call.world.save()
  if (there) return 0
  call.err(
    `libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: /etc/xen/scripts/vif-bridge online [${800 + domain.domid}] exited with error status 1\n` +
      `libxl: error: libxl_device.c:1337:device_hotplug_child_death_cb: script: Could not find bridge device ${nic.bridge}\n` +
      `libxl: error: libxl_device.c:1481:device_addrm_aocomplete: Domain ${domain.domid}:Unable to add vif with id ${devid}\n` +
      'libxl_device_nic_add failed.\n',
  )
  return 1
}

export const networkDetach: Program = async (call) => {
  const domain = isGone(call, call.argv[1]) ? undefined : needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const word = call.argv[2] ?? ''
  const nic = domain?.config.nics.find((one) => one.mac === word.toLowerCase() || String(one.devid) === word)
  if (domain === undefined || nic === undefined) {
    if (!word.includes(':')) {
      call.err(
        `libxl: error: libxl_xshelp.c:206:libxl__xs_read_mandatory: xenstore read failed: \`/libxl/${domain?.domid ?? call.argv[1]}/device/vif/${word}': No such file or directory\n`,
      )
    }
    call.err(`Unknown device ${word}.\n`)
    return 1
  }
  domain.config.nics = domain.config.nics.filter((one) => one !== nic)
  call.world.save()
  return 0
}
