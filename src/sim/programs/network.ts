/** `ip` and `bridge`, as JSON and as text. */

import { turns } from '../../lib/turns.ts'
import type { Program } from '../machine/program.ts'
import { allNets, type NetSeen } from '../machine/pseudo.ts'

const NETS_A_TURN = 200

export const ip: Program = async (call) => {
  const words = call.argv.slice(1).filter((word) => !word.startsWith('-'))
  const options = call.argv.slice(1).filter((word) => word.startsWith('-'))
  const json = options.some((option) => /^-(j|json)/.test(option))
  const what = words[0] ?? ''
  const isAddress = 'address'.startsWith(what) && what !== ''
  if (!isAddress && !'link'.startsWith(what)) {
    call.err(`Object "${what}" is unknown, try "ip help".\n`)
    return 1
  }
  const device = words.includes('dev') ? words[words.indexOf('dev') + 1] : undefined
  const type = words.includes('type') ? words[words.indexOf('type') + 1] : undefined
  const master = words.includes('master') ? words[words.indexOf('master') + 1] : undefined
  const all = allNets(call.pm)
  if (device !== undefined && !all.some((net) => net.name === device)) {
    call.err(`Device "${device}" does not exist.\n`)
    return 1
  }
  const nets = all.filter(
    (net) =>
      (device === undefined || net.name === device) &&
      (type === undefined || net.kind === type) &&
      (master === undefined || net.master === master),
  )
  const detailed = options.some((option) => /^-d/.test(option))
  const numbers = new Map(all.map((net, index) => [net, index + 1]))
  const values: ReturnType<typeof value>[] = []
  for (const net of nets) {
    if (values.length % NETS_A_TURN === 0) await turns.take()
    values.push(value(net, numbers.get(net)!, isAddress, detailed))
  }
  if (json) call.out(`${JSON.stringify(values)}\n`)
  else {
    for (const one of values) {
      call.out(`${one.ifindex}: ${one.ifname}: <${one.flags.join(',')}> mtu ${one.mtu} state ${one.operstate}\n`)
      call.out(`    link/${one.link_type} ${one.address} brd ${one.broadcast}\n`)
      for (const address of one.addr_info ?? [])
        call.out(`    inet ${address.local}/${address.prefixlen} scope ${address.scope} ${address.label}\n`)
    }
  }
  return 0
}

function value(net: NetSeen, index: number, addresses: boolean, detailed: boolean) {
  const [local, prefix] = net.ip?.split('/') ?? []
  const loopback = net.kind === 'loopback'
  const kind = net.kind === 'bridge' ? { linkinfo: { info_kind: 'bridge' } } : {}
  const port = net.master ? { linkinfo: { info_slave_kind: 'bridge' } } : {}
  return {
    ifindex: index,
    ifname: net.name,
    flags: loopback ? ['LOOPBACK', 'UP', 'LOWER_UP'] : ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'],
    mtu: loopback ? 65536 : 1500,
    qdisc: loopback ? 'noqueue' : 'mq',
    ...(net.master ? { master: net.master } : {}),
    operstate: loopback ? 'UNKNOWN' : 'UP',
    group: 'default',
    txqlen: 1000,
    link_type: loopback ? 'loopback' : 'ether',
    address: net.mac,
    broadcast: loopback ? '00:00:00:00:00:00' : 'ff:ff:ff:ff:ff:ff',
    ...(detailed ? { ...kind, ...port } : {}),
    ...(addresses
      ? {
          addr_info:
            local === undefined
              ? []
              : [
                  {
                    family: 'inet',
                    local,
                    prefixlen: Number(prefix),
                    scope: loopback ? 'host' : 'global',
                    label: net.name,
                    valid_life_time: 4294967295,
                    preferred_life_time: 4294967295,
                  },
                ],
        }
      : {}),
  }
}
