import { guestConfig, guestUuid } from '../test/lab/guest.ts'
import { pengxInside, perform } from '../test/lab/pengx.ts'
import { type LabHost, labHosts, sh } from '../test/lab/ssh.ts'
import { type Figure, inTurns, median } from './measure.ts'

const ROUNDS = 7
const NUMBER = 61
const NAME = 'bench'

/**
 * `vm.start` beside bare `xl create` of the same guest on a real Xen host, in turns and timed there, so that the way to
 * the host counts for neither. Both include the start of the program that does it.
 */
export async function measureLab(): Promise<Figure[]> {
  const host = findHost()
  if (host === undefined) {
    console.error('bench: lab is left out: no PENGX_LAB_HOSTS, and no host is up')
    return []
  }
  const config = `/root/${NAME}.cfg`
  await sh(host, `cat >${config}`, { stdin: guestConfig({ name: NAME, type: 'pv', number: NUMBER, disks: [] }) })
  const pengx = await pengxInside(host, '/var/lib/pengx-bench')
  await perform(pengx, 'vm.adopt', config)
  const there = `env XDG_STATE_HOME=/var/lib/pengx-bench /root/pengx run vm.start ${guestUuid(NUMBER)}`
  const stop = `xl destroy ${NAME}; while xl domid ${NAME} >/dev/null 2>&1; do sleep 0.2; done`
  const time = async (command: string) => {
    const said = await sh(
      host,
      `a=$(date +%s%N); ${command} >/dev/null 2>&1 || exit 9; b=$(date +%s%N); echo $((b - a)); ${stop}`,
    )
    return Number(said.trim()) / 1e6
  }
  try {
    await time(`xl create ${config}`)
    const { start, create } = await inTurns(ROUNDS, {
      start: () => time(there),
      create: () => time(`xl create ${config}`),
    })
    const bound = Math.round(Math.max(median(create) * 1.05, median(create) + 30))
    return [
      {
        what: 'vm.start on real Xen',
        unit: 'ms',
        samples: start,
        beside: { what: 'xl create', samples: create },
        bound,
      },
    ]
  } finally {
    await sh(host, `${stop}; rm -rf ${config} /var/lib/pengx-bench`)
  }
}

function findHost(): LabHost | undefined {
  try {
    return labHosts()[0]
  } catch {
    return undefined
  }
}
