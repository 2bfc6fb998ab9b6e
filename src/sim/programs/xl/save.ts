/** `xl save` and `xl restore`: the guest in a file, and back under a new domid. */

import { findNode, fsError, isFsError, locate, setAllocated, writeText } from '../../machine/files.ts'
import { builtAgain } from '../../machine/guestConfig.ts'
import {
  beginBuild,
  countersOf,
  refuseBuild,
  remove,
  startCounting,
  stopCounting,
  TIMES,
} from '../../machine/guests.ts'
import type { Program } from '../../machine/program.ts'
import type { Domain, GuestConfig } from '../../machine/state.ts'
import { loadConfig } from './power.ts'
import { isGone, needDomain, noUserdata, splitOptions } from './words.ts'

const SAVED = 'Xen saved domain, xl format\n'

export const save: Program = async (call) => {
  const { options, words } = splitOptions(call.argv, '')
  if (isGone(call, words[0])) {
    call.err(`${noUserdata(words[0], 'No such file or directory')}unable to retrieve domain configuration\n`)
    return 1
  }
  const domain = needDomain(call, words[0])
  if (typeof domain === 'number') return domain
  const path = words[1] ?? ''
  let config: GuestConfig = domain.config
  if (words[2] !== undefined) {
    const given = await loadConfig(call, words[2], [])
    if (typeof given === 'number') return given === -3 ? 253 : given
    config = { ...given, uuid: domain.uuid }
  }
  config = { ...config, disks: config.disks.map(builtAgain) }
  const bytes = domain.memoryMib * 1048576 + 539_703
  call.err(`Saving to ${path} new xl format (info 0x3/0x0/1711)\n`)
  try {
    writeText(call.pm, path, SAVED + JSON.stringify({ config, counters: countersOf(domain, call.now()) }), call.now())
    const place = locate(call.pm, path)
    if (place.node?.kind !== 'file') throw fsError('EISDIR')
    setAllocated(call.pm, path, place.node, Math.ceil(bytes / 4096) * 4096)
    place.node.size = bytes
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`libxl: error: libxl_stream_write.c:299:write_done: Domain ${domain.domid}:${error.message}\n`)
    call.err('Failed to save domain, resuming domain\n')
    return 1
  }
  const frames = domain.memoryMib * 256
  call.err(`xc: info: Saving domain ${domain.domid}, type x86 ${domain.config.type === 'pv' ? 'PV' : 'HVM'}\n`)
  for (const percent of [25, 50, 75, 100]) {
    await call.pass(TIMES.build / 4)
    call.err(
      `xc: progress: Frames: ${Math.floor((frames * percent) / 100)}/${frames} ${String(percent).padStart(4)}%\n`,
    )
  }
  call.err('xc: progress: End of stream: 0/0    0%\n')
  if (options.includes('c')) {
    // what a checkpoint ends with wakes a guest that something else had suspended
    if (domain.phase === 'shutdown' && domain.shutdownReason === 2) goOn(domain, call.now())
    call.world.save()
    return 0
  }
  stopCounting(domain, call.now())
  if (options.includes('p')) domain.paused = true
  else remove(call.pm, domain)
  call.world.save()
  return 0
}

/** A suspended guest goes on. */
export function goOn(domain: Domain, at: number): void {
  domain.phase = 'up'
  domain.shutdownReason = undefined
  if (!domain.paused) startCounting(domain, at)
}

export const restore: Program = async (call) => {
  const { options, words } = splitOptions(call.argv, '')
  const path = words.at(-1) ?? ''
  const node = findNode(call.pm, path)
  if (node?.kind !== 'file') {
    call.err("Can't open restore file: No such file or directory\n")
    return 1
  }
  if (!node.text?.startsWith(SAVED)) {
    call.err(
      `libxl: error: libxl_utils.c:505:libxl_read_exactly: file/stream truncated reading header from ${path}\nxl: fatal error: xl_vmcontrol.c:713: Protocol error: libxl_read_exactly( ctx, restore_fd, &hdr, sizeof(hdr), restore_source, "header")\n`,
    )
    return 1
  }
  const saved = JSON.parse(node.text.slice(SAVED.length))
  let config: GuestConfig = saved.config
  call.err(`Loading new save file ${path} (new xl fmt info 0x3/0x0/1711)\n`)
  if (words.length > 1) {
    const given = await loadConfig(call, words[0]!, [])
    if (typeof given === 'number') return 1
    config = { ...given, uuid: config.uuid }
  } else call.err(' Savefile contains xl domain config in JSON format\nParsing config from <saved>\n')
  call.err(
    `xc: info: Found x86 ${config.type === 'pv' ? 'PV' : 'HVM'} domain from Xen 4.17\nxc: info: Restoring domain\n`,
  )
  const refusal = refuseBuild(call.pm, config, call.pm.nextDomid)
  if (refusal) {
    call.pm.nextDomid++
    call.world.save()
    call.err(`${refusal.join('\n')}\n`)
    return 1
  }
  const paused = options.includes('p')
  const domain = beginBuild(call.world, call.pm, config, { paused, at: call.now(), restored: saved.counters })
  call.world.save()
  await call.pass(TIMES.build)
  call.err('xc: info: Restore successful\n')
  call.err(`xc: info: XenStore: mfn 0x17baef, dom 0, evt 1\nxc: info: Console: mfn 0x17baee, dom 0, evt 2\n`)
  if (!domain.paused) domain.bootedAt ??= call.now()
  return 0
}
