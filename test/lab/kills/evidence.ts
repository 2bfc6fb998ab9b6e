// What is to be known of a job that did not end as it should: its journal, and what was on its host.
import { Database } from 'bun:sqlite'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { need } from '../machine/command.ts'
import { run, sh } from '../machine/ssh.ts'
import type { Victim } from './victim.ts'

const JOBS = 3

/** The newest jobs with their journals and commands, then processes, domains and files. */
export async function evidenceOf(victim: Victim): Promise<string> {
  const { host, name, uuid, link } = victim
  const script = `
    ps -eo pid,ppid,etimes,args | grep -E 'xl |qemu-img|[/ ]pengx|xen-domid' | grep -v grep | cut -c 1-150
    xl list -v
    ls -l ${link} /etc/xen/pengx
    cat /etc/xen/pengx/${uuid}.cfg
    tail -n 5 /var/log/xen/xl-${name}.log
    tail -n 8 /var/log/xen/console/guest-${name}.log`
  return `${await journals(victim)}\n${(await run(host, ['sh', '-c', script])).stdout}`
}

async function journals({ host, pengx }: Victim): Promise<string> {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-kills-'))
  try {
    const pack = `cd ${pengx.storePath}/.. 2>/dev/null || cd $(dirname ${pengx.storePath}); tar c pengx.db* | base64`
    const packed = pengx.where === 'inside' ? await sh(host, pack) : await need(['sh', '-c', pack])
    writeFileSync(join(dir, 'store.tar'), Buffer.from(packed, 'base64'))
    await need(['tar', 'x', '-f', join(dir, 'store.tar'), '-C', dir])
    return readJournals(new Database(join(dir, 'pengx.db')))
  } finally {
    rmSync(dir, { recursive: true })
  }
}

type Row = Record<string, string | number | null>

function readJournals(database: Database): string {
  const rows = (sql: string, ...given: string[]) => database.query<Row, string[]>(sql).all(...given)
  const time = (at: unknown) => new Date(Number(at)).toISOString().slice(11, 23)
  return rows(`SELECT * FROM jobs ORDER BY number DESC LIMIT ${JOBS}`)
    .flatMap((job) => [
      `job ${job.number} ${job.operation} ${job.state} ${job.code ?? ''} ${job.message}`,
      ...rows('SELECT * FROM jobEvents WHERE job = ? ORDER BY seq', String(job.id)).map(
        ({ at, kind, name, message, outputJson }) =>
          `  ${time(at)} ${kind} ${name} ${message ?? ''} ${outputJson ?? ''}`,
      ),
      ...rows('SELECT * FROM jobCommands WHERE job = ? ORDER BY seq', String(job.id)).map(
        ({ at, tookMs, exit, line, output }) =>
          `  ${time(at)} +${tookMs} exit ${exit} ${String(line).slice(0, 300)}\n      ${String(output).trim().slice(-300)}`,
      ),
    ])
    .join('\n')
}
