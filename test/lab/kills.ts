// SIGKILL of pengx at random moments of real operations on real Xen. After the next start nothing is half made, no disk is
// lost, no job says running: what the journal could not finish it has undone.
import { expect } from 'bun:test'
import { type LabHost, run, sh } from './machine/ssh.ts'
import { type Pengx, perform, vmsOf } from './pengx.ts'

interface JobRow {
  readonly operation: string
  readonly state: string
  readonly message: string
}

const BOOT = ['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd']

/** A generator that a seed repeats, so that a failure can be run again. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 1664525 + 1013904223) % 2 ** 32
    return state / 2 ** 32
  }
}

export async function randomKills(host: LabHost, pengx: Pengx, count: number, seed: number): Promise<string[]> {
  const random = randomFrom(seed)
  const log: string[] = []
  const others = await configsOf(host) // of suites that ran on this host before
  await sh(host, 'mkdir -p /data')
  await perform(pengx, 'storlink.create', 'kills', '--link', '/data', '--type', 'LO', '--level', 'FL')
  for (let round = 0; round < count; round++) {
    const name = `victim${round % 3}`
    const row = (await vmsOf(pengx)).get(name)
    const words = nextAct(name, row?.state, random)
    // Most of an act is `xl create`, which takes seconds here: the moments are spread over all of it.
    const afterMs = Math.floor(random() * (words[0] === 'vm.create' || words[0] === 'vm.delete' ? 3000 : 12_000))
    const killed = await killAfter(host, pengx, words, afterMs)
    await settled(host, pengx, others)
    log.push(`${words[0]} ${killed ? `killed after ${afterMs} ms` : `ended before ${afterMs} ms`}`)
  }
  for (const [name, row] of await vmsOf(pengx)) {
    if (!name.startsWith('victim')) continue
    if (row.state !== 'shutdown') await perform(pengx, 'vm.poweroff', name)
    await perform(pengx, 'vm.delete', name)
  }
  expect(await sh(host, 'ls /data')).toBe('')
  await perform(pengx, 'storlink.delete', 'kills')
  return log
}

function nextAct(name: string, state: string | undefined, random: () => number): string[] {
  if (state === undefined) {
    const console_ = `console=hvc0 loglevel=3 mitigations=off random.trust_cpu=on gname=${name} gmode=idle`
    return [
      'vm.create',
      name,
      '--storlink',
      'kills',
      '--type',
      'pv',
      '--memory',
      '96',
      '--disk-size',
      '16',
      ...BOOT,
      '--cmdline',
      console_,
    ]
  }
  if (state === 'shutdown') return random() < 0.7 ? ['vm.start', name] : ['vm.delete', name]
  return random() < 0.5 ? ['vm.poweroff', name] : ['vm.reset', name]
}

/** Starts it, and kills pengx itself (not only a connection to it) after so long. */
async function killAfter(host: LabHost, pengx: Pengx, words: string[], afterMs: number): Promise<boolean> {
  const { argv, env } = pengx.argv('run', ...words, '--yes')
  const child = Bun.spawn(argv, { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  await Promise.race([child.exited, Bun.sleep(afterMs)])
  if (child.exitCode !== null) return false
  if (pengx.where === 'outside') child.kill('SIGKILL')
  else await run(host, ['sh', '-c', 'kill -9 $(pgrep -x pengx) 2>/dev/null; :'])
  await child.exited
  return true
}

const configsOf = async (host: LabHost): Promise<string[]> =>
  (await sh(host, 'ls /etc/xen/pengx 2>/dev/null || :')).split('\n').filter(Boolean)

/** What the next start makes of it: every job over, and rows, domains and files of one mind. */
async function settled(host: LabHost, pengx: Pengx, others: readonly string[]): Promise<void> {
  const rows = await vmsOf(pengx)
  const jobs = JSON.parse((await pengx.run('jobs', '--json')).stdout) as JobRow[]
  const open = jobs.filter((job) => !['done', 'undone', 'cancelled'].includes(job.state))
  expect(open).toEqual([])
  const victims = [...rows.values()].filter((row) => row.name.startsWith('victim'))
  const files = (await sh(host, 'ls /data')).split('\n').filter(Boolean)
  // One disk a VM, and no draft, no disk set aside, no orphan.
  expect({ files: files.length, odd: files.filter((file) => !/^[0-9a-f-]{36}\.qcow2$/.test(file)) }).toEqual({
    files: victims.length,
    odd: [],
  })
  const configs = (await configsOf(host)).filter((file) => !others.includes(file))
  expect(configs.filter((file) => !victims.some((row) => file === `${row.uuid}.cfg`))).toEqual([])
  const domains = await sh(host, 'xl list -v')
  for (const row of victims)
    expect({ name: row.name, domain: domains.includes(row.uuid) }).toEqual({
      name: row.name,
      domain: row.state !== 'shutdown',
    })
}
