import { guestConfig, guestUuid } from '../test/lab/machine/guest.ts'
import { type LabHost, labHosts, sh } from '../test/lab/machine/ssh.ts'
import { type Pengx, pengxInside, perform, serveInside } from '../test/lab/pengx.ts'
import { type Figure, inTurns, median } from './measure.ts'

const ROUNDS = 7
const NUMBER = 61
const NAME = 'bench'
const STORE = '/var/lib/pengx-bench'

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
  const images = ['xvda', 'xvdb'].map((vdev) => `/root/${NAME}-${vdev}.qcow2`)
  const disks = images.map((path, index) => `format=qcow2,vdev=xvd${'ab'[index]},access=rw,target=${path}`)
  await sh(host, images.map((path) => `qemu-img create -q -f qcow2 ${path} 64M`).join('; '))
  await sh(host, `cat >${config}`, { stdin: guestConfig({ name: NAME, type: 'pv', number: NUMBER, disks }) })
  const pengx = await pengxInside(host, STORE)
  await perform(pengx, 'vm.adopt', config)
  const there = `env XDG_STATE_HOME=${STORE} /root/pengx run vm.start ${guestUuid(NUMBER)}`
  const stop = `xl destroy ${NAME}; while xl domid ${NAME} >/dev/null 2>&1; do sleep 0.2; done`
  const time = async (command: string) => {
    const said = await sh(
      host,
      `a=$(date +%s%N); ${command} >/dev/null || exit 9; b=$(date +%s%N); echo $((b - a)); ${stop}`,
    )
    return Number(said.trim()) / 1e6
  }
  try {
    const server = await serveInside(host, STORE)
    // What a running pengx takes: from the request's job being written down to its end.
    const serve = async () => {
      const answer = await server.ask('POST', `/vms/${guestUuid(NUMBER)}/start/`)
      if (answer.status !== 200) throw new Error(`vm.start was not done: ${JSON.stringify(answer.body)}`)
      await sh(host, stop)
      return 0
    }
    await time(`xl create ${config}`)
    const { start, create } = await inTurns(ROUNDS, {
      start: () => time(there),
      create: () => time(`xl create ${config}`),
      serve,
    })
    const served = await jobTimes(pengx)
    await server.stop()
    const bound = Math.round(Math.max(median(create) * 1.05, median(create) + 30))
    return [
      {
        what: 'vm.start, a process each',
        unit: 'ms',
        samples: start,
        beside: { what: 'xl create', samples: create },
        bound,
      },
      {
        what: 'vm.start by a running server',
        unit: 'ms',
        samples: served,
        beside: { what: 'xl create', samples: create },
        bound,
      },
    ]
  } finally {
    await sh(host, `${stop}; rm -rf ${config} ${images.join(' ')} ${STORE}`)
  }
}

/** How long each start took that the server was asked for, from its job's first line to its last. */
async function jobTimes(pengx: Pengx): Promise<number[]> {
  const said = await pengx.run('jobs', '--json')
  const jobs = JSON.parse(said.stdout) as { operation: string; by: string; createdAt: string; finishedAt: string }[]
  const starts = jobs.filter((job) => job.operation === 'vm.start' && job.by === 'http')
  return starts.map((job) => Date.parse(job.finishedAt) - Date.parse(job.createdAt))
}

function findHost(): LabHost | undefined {
  try {
    return labHosts()[0]
  } catch {
    return undefined
  }
}
