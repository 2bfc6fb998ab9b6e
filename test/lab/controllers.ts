// Controllers: several pengx, each as on a machine of its own, which know nothing of each other but what they find on PMs.
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabHost } from './machine/ssh.ts'
import { type Pengx, pengxAt, perform } from './pengx.ts'

export interface Controller extends Pengx {
  /** Has its store, settings, ssh_config and known_hosts. */
  readonly home: string
}

/** What `pms --json` says of one. */
export interface PmRow {
  readonly uuid: string
  readonly name: string
  readonly reach: 'up' | 'down' | 'unknown'
  readonly problem?: string
  readonly bootedAt?: string
}

/** A controller that can reach all `hosts` and has none of them as a PM until it is added (addPm). */
export function openController(hosts: readonly LabHost[]): Controller {
  const home = mkdtempSync(join(tmpdir(), 'pengx-lab-'))
  const { sshConfig, knownHosts } = hosts[0]!
  copyFileSync(knownHosts, join(home, 'known_hosts'))
  // What is said first holds. Through a pulled cable a connection is opened (by QEMU) and never answered, so the timeout is
  // how long each look at such a PM takes.
  const own = `UserKnownHostsFile "${home}/known_hosts"\nConnectTimeout 15\nInclude "${sshConfig}"\n`
  writeFileSync(join(home, 'ssh_config'), own)
  return pengxAt(home, join(home, 'ssh_config'), [])
}

/** Ends a controller that is not running any more; what it did on PMs stays. */
export function closeController({ home }: Controller): void {
  rmSync(home, { recursive: true, force: true })
}

/** Makes a host one of its PMs, by the name that the host has. */
export async function addPm(controller: Controller, host: LabHost): Promise<void> {
  await perform(controller, 'pm.add', `${host.user}@${host.name}`)
}

/** Looks at all its PMs, by name, whether or not they answer. */
export async function pmsOf(controller: Controller): Promise<Map<string, PmRow>> {
  const said = await controller.run('pms', '--json')
  // where no PM at all answers the list is printed too, and the exit status says so
  if (said.stdout === '') throw new Error(`pengx pms exited with ${said.exit}: ${said.stderr}`)
  return new Map((JSON.parse(said.stdout) as PmRow[]).map((row) => [row.name, row]))
}

/** Looks until a PM answers, as one does a while after its cable was plugged in or its power came back. */
export async function waitUp(controller: Controller, host: LabHost): Promise<PmRow> {
  const end = Date.now() + 240_000
  for (;;) {
    const row = (await pmsOf(controller)).get(host.name)
    if (row?.reach === 'up') return row
    if (Date.now() > end) throw new Error(`${host.name} does not come up for a controller: ${JSON.stringify(row)}`)
    await Bun.sleep(500)
  }
}
