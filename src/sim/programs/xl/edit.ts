/** `xl` changes what a running guest has: memory, vcpus, its name, its configuration. */
import type { Program } from '../../machine/program.ts'
import { loadConfig } from './power.ts'
import { isGone, needDomain, noUserdata, splitOptions } from './words.ts'

/** Memory as xl reads it: a number of MiB, or one with a unit. */
function mibOf(word: string | undefined): number | undefined {
  const match = /^(\d+)([kmgt]?)b?$/i.exec(word ?? '')
  if (!match) return undefined
  const factor = ({ k: 1 / 1024, m: 1, g: 1024, t: 1048576, '': 1 } as Record<string, number>)[match[2]!.toLowerCase()]!
  return Math.floor(Number(match[1]) * factor)
}

export const memSet: Program = async (call) => {
  if (isGone(call, call.argv[1])) {
    call.err(noUserdata(call.argv[1], 'Success'))
    call.err(`cannot set domid ${call.argv[1]} dynamic max memory to : ${call.argv[2]}\n`)
    return 1
  }
  const domain = needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const mib = mibOf(call.argv[2])
  if (mib === undefined) {
    call.err(`invalid memory size: ${call.argv[2] ?? ''}\n`)
    return 1
  }
  if (mib > domain.maxmemMib) {
    call.err(
      `libxl: error: libxl_mem.c:278:libxl_set_memory_target: Domain ${domain.domid}:memory_dynamic_max must be less than or equal to memory_static_max\n\ncannot set domid ${domain.domid} dynamic max memory to : ${mib}\n`,
    )
    return 1
  }
  domain.config.memoryMib = mib
  domain.memoryMib = mib
  call.world.save()
  return 0
}

export const memMax: Program = async (call) => {
  const domain = needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const mib = mibOf(call.argv[2])
  if (mib === undefined) {
    call.err(`invalid memory size: ${call.argv[2] ?? ''}\n`)
    return 1
  }
  if (mib < domain.config.memoryMib) {
    call.err(
      `libxl: error: libxl_mem.c:59:libxl_domain_setmaxmem: Domain ${domain.domid}:memory_static_max must be greater than or or equal to memory_dynamic_max: Success\ncannot set domid ${domain.domid} static max memory to : ${mib}\n`,
    )
    return 1
  }
  domain.maxmemMib = mib
  domain.config.maxmemMib = mib
  call.world.save()
  return 0
}

export const vcpuSet: Program = async (call) => {
  const { options, words } = splitOptions(call.argv, '')
  if (isGone(call, words[0])) {
    call.err(
      `libxl: error: libxl_domain.c:1856:libxl_set_vcpuonline: Domain ${words[0]}:Getting domain info list: No such file or directory\n`,
    )
    call.err(`Domain ${words[0]} does not exist.\n`)
    return 1
  }
  const domain = needDomain(call, words[0])
  if (typeof domain === 'number') return domain
  const count = Number(words[1])
  if (!Number.isInteger(count) || count < 1) {
    call.err('Error: Invalid argument.\n')
    return 1
  }
  if (count > call.pm.cpuCount && !options.includes('i') && !options.includes('--ignore-host')) {
    call.err(
      `You are overcommmitting! You have ${call.pm.cpuCount} physical CPUs and want ${count} vCPUs! Aborting, use --ignore-host to continue\n`,
    )
    return 1
  }
  if (count > domain.config.maxVcpus) {
    call.err(
      `libxl: error: libxl_domain.c:1869:libxl_set_vcpuonline: Domain ${domain.domid}:Requested ${count} VCPUs, however maxcpus is ${domain.config.maxVcpus}!: Function not implemented\nlibxl_set_vcpuonline failed domid=${domain.domid} max_vcpus=${count}, rc: -3\n`,
    )
    return 1
  }
  domain.vcpusOnline = count
  domain.config.vcpus = count
  call.world.save()
  return 0
}

export const rename: Program = async (call) => {
  if (isGone(call, call.argv[1])) {
    call.err(`Can't rename domain '${call.argv[1]}'.\n`)
    return 1
  }
  const domain = needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const name = call.argv[2] ?? ''
  if (name === 'Domain-0' || call.pm.domains.some((one) => one.name === name)) {
    call.err(
      `libxl: error: libxl_domain.c:81:libxl__domain_rename: Domain ${domain.domid}:Domain with name "${name}" already exists.\nCan't rename domain '${call.argv[1]}'.\n`,
    )
    return 1
  }
  domain.name = name
  domain.config.name = name
  call.world.save()
  return 0
}

/** The new configuration counts from the next reboot; `list -l` goes on showing the old. */
export const configUpdate: Program = async (call) => {
  call.err(
    'WARNING: xl now has better capability to manage domain configuration, avoid using this command when possible\n',
  )
  if (isGone(call, call.argv[1])) {
    call.err(`setting dom${call.argv[1]} configuration\n${noUserdata(call.argv[1], 'Success')}`)
    call.err('failed to update configuration\n')
    return 1
  }
  const domain = needDomain(call, call.argv[1])
  if (typeof domain === 'number') return domain
  const config = await loadConfig(call, call.argv[2] ?? '', call.argv.slice(3))
  if (typeof config === 'number') return config === -3 ? 253 : config
  call.err(`setting dom${domain.domid} configuration\n`)
  domain.nextConfig = { ...config, uuid: domain.uuid }
  call.world.save()
  return 0
}
