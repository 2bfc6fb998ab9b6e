// How a transcript is made: commands that a shell of the host runs, one after the other, and the file that they come to.
// What the file looks like is read by test/support/transcript.ts.
import { join, resolve } from 'node:path'
import { type Output, output, say } from '../machine/command.ts'
import { type LabHost, sshArgv } from '../machine/ssh.ts'

/** Whose version stands in the file's name. */
type Program = 'xl' | 'xentop' | 'xenstore' | 'ip' | 'lvm' | 'qemu'

/**
 * A command line that is written down with its output; or with the moment for it: it is run again until it prints that, and
 * the last answer is the one written down. `unwritten`: what only prepares. `DOMID` in any is the last domain's.
 */
export type Step = string | { readonly line: string; readonly until: RegExp } | { readonly unwritten: string }

export interface Take {
  readonly program: Program
  readonly subject: string
  readonly steps: readonly Step[]
}

const FOLDER = resolve(import.meta.dir, '../../transcripts')
const TRIES = 60
const TIMEOUT_MS = 300_000

/** Without a subject a program has one file. */
export const fileOf = ({ program, subject }: Pick<Take, 'program' | 'subject'>, version: string): string =>
  `${program}-${version}${subject === '' ? '' : `-${subject}`}`

export type Versions = Readonly<Record<Program, string>>

/** The version of each program as file names have it: two numbers. */
export async function versionsOf(host: LabHost): Promise<Versions> {
  const ask = async (line: string) => {
    const { stdout, stderr } = await tell(host, line)
    const found = /(\d+\.\d+)/.exec(stdout)?.[1]
    if (!found) throw new Error(`${line}: no version in ${stdout}${stderr}`)
    return found
  }
  const xen = await ask('xl info xen_version')
  const qemu = 'q=$(ls /usr/libexec/xen-qemu-system-i386 /usr/lib/xen/bin/qemu-system-i386 2>/dev/null | head -1)'
  return {
    xl: xen,
    xentop: xen,
    xenstore: xen,
    ip: await ask('ip -V'),
    lvm: await ask("lvm version | grep 'LVM version'"),
    qemu: await ask(`${qemu}; \${q:-qemu-system-i386} --version`),
  }
}

/** As a person at a shell of the host would. */
const tell = (host: LabHost, line: string): Promise<Output> => output(sshArgv(host, line), { timeoutMs: TIMEOUT_MS })

async function withDomid(host: LabHost, line: string): Promise<string> {
  if (!line.includes('DOMID')) return line
  const { stdout } = await tell(host, "xl list | awk 'END { print $2 }'")
  return line.replaceAll('DOMID', stdout.trim())
}

/** Runs a take and writes its file. */
export async function record(host: LabHost, versions: Versions, take: Take): Promise<void> {
  const parts: string[] = []
  for (const step of take.steps) {
    if (typeof step === 'object' && 'unwritten' in step) {
      const { exit, stderr } = await tell(host, await withDomid(host, step.unwritten))
      if (exit !== 0) throw new Error(`${take.subject}: ${step.unwritten}: exit ${exit}: ${stderr}`)
      continue
    }
    const line = await withDomid(host, typeof step === 'string' ? step : step.line)
    let said = await tell(host, line)
    for (let tries = 1; typeof step === 'object' && !step.until.test(said.stdout); tries++) {
      if (tries === TRIES) throw new Error(`${take.subject}: ${line} never printed ${step.until}: ${said.stdout}`)
      said = await tell(host, line)
    }
    parts.push(`$ ${line}\n--- exit ${said.exit}\n--- stdout\n${said.stdout}--- stderr\n${said.stderr}`)
  }
  const file = fileOf(take, versions[take.program])
  await Bun.write(join(FOLDER, `${file}.txt`), parts.join('########\n'))
  say(`written: ${file}`)
}
