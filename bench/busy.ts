import { readFileSync } from 'node:fs'
import { urlOf } from './http.ts'
import type { Figure } from './measure.ts'
import { PENGX } from './site.ts'

const VM_COUNT = 10_000
const JOB_COUNT = 200
const QUIET_MS = 5_000
const PAUSE_MS = 5
const PROMISED_MS = 50

/**
 * How long a server of 10,000 VMs takes for GET /vms/ while 200 jobs begin, run and end, beside the same without jobs. Its PMs
 * are simulated, in its own process.
 */
export async function measureBusy(): Promise<Figure[]> {
  const child = Bun.spawn([PENGX, `--demo=${VM_COUNT}`, '--serve', '--no-auth', '--listen', '127.0.0.1:0'], {
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
  })
  try {
    const url = await urlOf(child.stderr)
    const vms = await untilQuiet(url)
    const asker = createAsker(url, child.pid)
    await Bun.sleep(QUIET_MS)
    const quiet = asker.take()
    await rebootAll(url, vms)
    const busy = asker.take()
    await asker.stop()
    const beside = { what: 'without jobs', samples: quiet.tookMs }
    const what = `GET /vms/ beside ${JOB_COUNT} jobs, ${VM_COUNT} VMs`
    return [
      { what, unit: 'ms', samples: busy.tookMs, beside, bound: PROMISED_MS },
      // On a machine that others use too, the time for which it let the server or the asker wait for a processor.
      { what: `${what}, less waits for a CPU`, unit: 'ms', samples: busy.ranMs, bound: PROMISED_MS },
    ]
  } finally {
    child.kill('SIGTERM')
    await child.exited
  }
}

interface SeenVm {
  readonly id: string
  readonly status: string
}

/** The demo is furnished after it has begun to answer. */
async function untilQuiet(url: string): Promise<readonly SeenVm[]> {
  for (let before = -1; ; await Bun.sleep(3_000)) {
    const body = (await (await fetch(`${url}/vms/?format=json`)).json()) as { vms: readonly SeenVm[] }
    if (body.vms.length === before) return body.vms
    before = body.vms.length
  }
}

/** Asks for the list again and again, in both versions, until it is stopped. */
function createAsker(url: string, pid: number) {
  let samples: { tookMs: number; ranMs: number }[] = []
  let isAsking = true
  const asking = ask()

  async function ask(): Promise<void> {
    for (let index = 0; isAsking; index++) {
      const [waitedMs, begun] = [waitsOf(pid), performance.now()]
      const response = await fetch(`${url}${index % 2 === 0 ? '' : '/v2'}/vms/`)
      await response.arrayBuffer()
      if (response.status !== 200) throw new Error(`GET /vms/ answered ${response.status}`)
      const tookMs = performance.now() - begun
      samples.push({ tookMs, ranMs: Math.max(0, tookMs - (waitsOf(pid) - waitedMs)) })
      await Bun.sleep(PAUSE_MS)
    }
  }

  return {
    /** Since it was asked last. */
    take() {
      const taken = samples
      samples = []
      return { tookMs: taken.map((one) => one.tookMs), ranMs: taken.map((one) => one.ranMs) }
    },
    async stop() {
      isAsking = false
      await asking
    },
  }
}

/** For how long the first thread of the server and of this process were kept waiting for a CPU so far (proc_pid_schedstat). */
function waitsOf(pid: number): number {
  const waited = (who: number | 'self') => Number(readFileSync(`/proc/${who}/schedstat`, 'utf8').split(' ')[1])
  return (waited(pid) + waited('self')) / 1_000_000
}

/** From a process of its own, over several connections; whatever becomes of them. */
async function rebootAll(url: string, vms: readonly SeenVm[]): Promise<void> {
  const running = vms.filter((vm) => vm.status !== 'SHUTDOWN')
  const step = Math.max(1, Math.floor(running.length / JOB_COUNT))
  const ids = running.filter((_, index) => index % step === 0).slice(0, JOB_COUNT)
  const script = `const [url, ...ids] = process.argv.slice(1)
    await Promise.all(ids.map(async (id) => await (await fetch(url + '/vms/' + id + '/reboot/', { method: 'POST' })).text()))`
  const child = Bun.spawn([process.execPath, '-e', script, url, ...ids.map((vm) => vm.id)], {
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: String(JOB_COUNT) },
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'inherit',
  })
  if ((await child.exited) !== 0) throw new Error('the reboots could not be asked for')
}
