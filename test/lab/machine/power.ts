// What happens to hosts from outside: a power cut, being switched on again, a pulled network cable.
import { dirname } from 'node:path'
import { type Machine, startHost, stopHost, waitBooted } from './boot.ts'
import { openSite } from './site.ts'
import { closeSsh, type LabHost, sh, waitSsh } from './ssh.ts'

function machineOf(host: LabHost): Machine {
  const machine = openSite(dirname(host.dir))?.machines.find((one) => one.name === host.name)
  if (!machine) throw new Error(`${host.name} is no host of this lab any more`)
  return machine
}

/** Cuts the power: nothing in the host is told, and what was not yet written by it is lost. */
export async function powerOff(host: LabHost): Promise<void> {
  await stopHost(machineOf(host))
  await closeSsh(host)
}

/** Switches a host on, with the disks that it had, and waits until xl and ssh answer. */
export async function powerOn(host: LabHost): Promise<void> {
  const machine = machineOf(host)
  await startHost(machine)
  await waitBooted(machine)
  await waitSsh(host)
}

/** What is another after each boot of a host. */
export const bootIdOf = async (host: LabHost): Promise<string> =>
  (await sh(host, 'cat /proc/sys/kernel/random/boot_id')).trim()

/** Pulls or plugs a cable: `out` is eth0 (ssh and guests), `wire0` eth1 (between the hosts), `wire1` eth2. */
export async function setCable(host: LabHost, cable: 'out' | 'wire0' | 'wire1', plugged: boolean): Promise<void> {
  await qmp(machineOf(host).qmp, 'set_link', { name: cable, up: plugged })
}

/** One command to a host's QEMU. */
async function qmp(path: string, execute: string, options: object): Promise<void> {
  const answered = Promise.withResolvers<void>()
  let text = ''
  const socket = await Bun.connect({
    unix: path,
    socket: {
      data(_, bytes) {
        text += bytes.toString()
        const lines = text.split('\n')
        text = lines.pop()!
        for (const answer of lines.map((line) => JSON.parse(line))) {
          if (answer.error) answered.reject(new Error(`${execute}: ${answer.error.desc}`))
          else if (answer.id === 'done') answered.resolve()
        }
      },
      close: () => answered.reject(new Error(`${execute}: the QEMU closed its socket`)),
    },
  })
  socket.write(`${JSON.stringify({ execute: 'qmp_capabilities' })}\n`)
  socket.write(`${JSON.stringify({ execute, arguments: options, id: 'done' })}\n`)
  await answered.promise.finally(() => socket.end())
}
