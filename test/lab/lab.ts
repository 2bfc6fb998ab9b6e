// npm run lab -- COMMAND: a real Xen host booted in QEMU by software emulation, built from Debian packages.
//   build                        what `up` needs, kept in PENGX_LAB_CACHE (default ~/.cache/pengx-lab)
//   up [--hosts 2]               boots fresh hosts and says how to reach them
//   down                         ends them
//   ssh [HOST] [COMMAND…]        a shell, or one command, on a running host
//   test [--hosts 2] [NAME…]     boots fresh hosts, runs test/lab/*.e2e.ts (or those named) on them, ends them
//   soak …                       the same with test/lab/*.soak.ts
//   … --running                  test or soak on the hosts of `up` instead
//   … --xen shadow               a hypervisor that can migrate PV guests live (see root.ts)
// Suites find their hosts through labHosts() in ssh.ts, that is the variable PENGX_LAB_HOSTS (JSON).
import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { needPrograms } from './apt.ts'
import { say, timed } from './command.ts'
import { buildRoot } from './root.ts'
import { downSite, isUp, openSite, type Site, type SiteOptions, sweepSites, upSite } from './site.ts'
import { sshArgv, upDir } from './ssh.ts'

const runs = resolve(upDir, '..')

/** A suite boots guests on an emulated processor; no test of one has to fear bun's own 5 seconds. */
const TEST_TIMEOUT_MS = 600_000

function running(): Site {
  const site = openSite(upDir)
  if (!site || !isUp(site)) throw new Error('no host is up: npm run lab -- up')
  return site
}

async function up(options: SiteOptions): Promise<number> {
  const before = openSite(upDir)
  if (before && isUp(before) && before.hosts.length >= options.hosts) say('already up')
  else {
    await needPrograms()
    await downSite(upDir)
    await upSite(upDir, options)
  }
  for (const host of running().hosts) {
    say(`${host.name}: ssh -F ${host.sshConfig} ${host.name}`)
    say(`      or ssh -p ${host.port} -i ${host.key} -o UserKnownHostsFile=${host.knownHosts} ${host.user}@127.0.0.1`)
  }
  return 0
}

async function ssh(words: string[]): Promise<number> {
  const { hosts } = running()
  const host = hosts.find((one) => one.name === words[0])
  const command = host ? words.slice(1) : words
  const child = Bun.spawn(sshArgv(host ?? hosts[0]!, ...command), {
    stdin: 'inherit',
    stdout: 'inherit',
    stderr: 'inherit',
  })
  return await child.exited
}

async function suites(
  kind: 'e2e' | 'soak',
  names: string[],
  options: SiteOptions,
  onRunning: boolean,
): Promise<number> {
  const files = readdirSync(import.meta.dir)
    .filter((file) => file.endsWith(`.${kind}.ts`))
    .filter((file) => names.length === 0 || names.some((name) => file.startsWith(name)))
    .sort()
  if (files.length === 0)
    throw new Error(`no test/lab/*.${kind}.ts${names.length > 0 ? ` named ${names.join(' ')}` : ''}`)
  if (onRunning) return await runSuites(running(), files)
  await needPrograms()
  await sweepSites(runs)
  const dir = join(runs, `${kind === 'e2e' ? 'test' : kind}-${process.pid}`)
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => void downSite(dir).finally(() => process.exit(130)))
  try {
    return await runSuites(await upSite(dir, options), files)
  } finally {
    await downSite(dir)
  }
}

/** One bun process a suite, one after the other: guests start in their bounds only on a quiet machine. */
async function runSuites(site: Site, files: string[]): Promise<number> {
  let exit = 0
  for (const file of files) {
    const argv = [process.execPath, 'test', '--timeout', String(TEST_TIMEOUT_MS), `./test/lab/${file}`]
    const child = Bun.spawn(argv, {
      cwd: resolve(import.meta.dir, '../..'),
      env: { ...process.env, PENGX_LAB_HOSTS: JSON.stringify(site.hosts) },
      stdin: 'ignore',
      stdout: 'inherit',
      stderr: 'inherit',
    })
    const code = await timed(file, () => child.exited)
    if (code !== 0) say(`${file}: exit ${code}`)
    exit ||= code
  }
  return exit
}

async function main(): Promise<number> {
  const [command, ...rest] = process.argv.slice(2)
  if (command === 'ssh') return await ssh(rest) // its words are another program's
  const { values, positionals } = parseArgs({
    args: rest,
    allowPositionals: true,
    options: {
      hosts: { type: 'string', default: '1' },
      xen: { type: 'string', default: 'update' },
      running: { type: 'boolean', default: false },
    },
  })
  if (values.xen !== 'update' && values.xen !== 'shadow') throw new Error('--xen is update or shadow')
  const options: SiteOptions = { hosts: Number(values.hosts), xen: values.xen }
  switch (command) {
    case 'build':
      await needPrograms()
      say(`root: ${(await buildRoot()).image}`)
      return 0
    case 'up':
      return await up(options)
    case 'down':
      await downSite(upDir)
      await sweepSites(runs)
      return 0
    case 'test':
      return await suites('e2e', positionals, options, values.running)
    case 'soak':
      return await suites('soak', positionals, options, values.running)
    default:
      say(
        'commands: build | up [--hosts 2] [--xen shadow] | down | ssh [HOST] [COMMAND…] | test [NAME…] | soak [NAME…]',
      )
      return 2
  }
}

try {
  process.exit(await main())
} catch (error) {
  say((error as Error).message)
  process.exit(1)
}
