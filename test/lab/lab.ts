// npm run lab -- COMMAND: a real Xen host booted in QEMU by software emulation, built from Debian packages.
//   build                        what `up` needs, kept in PENGX_LAB_CACHE (default ~/.cache/pengx-lab)
//   up [--hosts 2] [--linux]     boots fresh hosts and says how to reach them
//   down                         ends them
//   ssh [HOST] [COMMAND…]        a shell, or one command, on a running host
//   test [--hosts 2] [NAME…]     boots a fresh host, runs suites/*.e2e.ts (or those named) on it, ends it; with two hosts
//                                side by side
//   test --all                   also suites/long/*.e2e.ts, whose ground changes seldom and which take long
//   soak [MINUTES]               a day in fast motion on two hosts (soaks/day.pair.soak.ts), which adds its figures to docs/PROOF.md
//   soak NAME…                   those of soaks/*.soak.ts
//   transcripts                  boots a fresh host and writes test/transcripts anew from its real programs
//   … --running                  test or soak on the hosts of `up` instead
//   … --xen shadow               a hypervisor that can migrate PV guests live (see root.ts)
//   … --release trixie           hosts of another Debian release, with its Xen and QEMU (see docs/versions.md)
// Suites find their hosts through labHosts() in ssh.ts, that is the variable PENGX_LAB_HOSTS (JSON).
import { readdirSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { bringPrograms } from '../support/programs/apt.ts'
import { HOME_RELEASE, RELEASES } from '../support/programs/release.ts'
import { openShelf } from '../support/programs/shelf.ts'
import { need, output, say, timed } from './machine/command.ts'
import { buildRoot } from './machine/root.ts'
import { downSite, isUp, isXen, openSite, type Site, type SiteOptions, sweepSites, upSite } from './machine/site.ts'
import { type LabHost, sshArgv, upDir } from './machine/ssh.ts'
import { renewTranscripts } from './transcripts/renew.ts'

const runs = resolve(upDir, '..')
const root = resolve(import.meta.dir, '../..')

/** A suite boots guests on an emulated processor; no test of one has to fear bun's own 5 seconds. */
const TEST_TIMEOUT_MS = 600_000

function running(): Site {
  const site = openSite(upDir)
  if (!site || !isUp(site)) throw new Error('no host is up: npm run lab -- up')
  return site
}

async function needPrograms(): Promise<void> {
  const missing = await bringPrograms('lab', say)
  if (missing.length > 0) throw new Error(`the lab needs ${missing.join(' ')}`)
}

async function up(options: SiteOptions): Promise<number> {
  const before = openSite(upDir)
  if (before && isUp(before) && hasAll(before, options)) say('already up')
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

const hasAll = ({ hosts }: Site, options: SiteOptions): boolean =>
  hosts.filter(({ name }) => isXen(name)).length >= options.hosts &&
  (!options.linux || hosts.some(({ name }) => !isXen(name)))

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

const FOLDERS = { e2e: ['suites', 'suites/long'], soak: ['soaks'] } as const

/** Paths below this folder. */
const filesOf = (kind: Run['kind']): string[] =>
  FOLDERS[kind].flatMap((folder) =>
    readdirSync(join(import.meta.dir, folder))
      .filter((file) => file.endsWith(`.${kind}.ts`))
      .sort()
      .map((file) => `${folder}/${file}`),
  )

interface Run {
  readonly kind: 'e2e' | 'soak'
  /** Beginnings of their names; none are all. */
  readonly names: readonly string[]
  /** Those that take long too, without being named. */
  readonly all: boolean
  readonly onRunning: boolean
  readonly hosts?: number
  readonly xen: SiteOptions['xen']
  readonly release: SiteOptions['release']
  readonly busy?: string
}

async function suites({ kind, names, all, onRunning, hosts, xen, release, busy }: Run): Promise<number> {
  const files = filesOf(kind).filter((file) =>
    names.length === 0 ? all || !takesLong(file) : names.some((name) => basename(file).startsWith(name)),
  )
  if (files.length === 0) throw new Error(`no test/lab/**/*.${kind}.ts is named ${names.join(' ')}`)
  // What the suites run is these sources, and no executable of yesterday's.
  await timed('dist/pengx', () => need([process.execPath, 'build.ts'], { cwd: root }))
  if (onRunning) return await runSuites(running(), files, openPath())
  await needPrograms()
  // Once: it is made anew, and what goes beside another would find nothing there for that while.
  const path = openPath()
  await sweepSites(runs)
  const dir = join(runs, `${kind === 'e2e' ? 'test' : kind}-${process.pid}`)
  const linuxDir = `${dir}-linux`
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.on(signal, () => void Promise.all([dir, linuxDir].map(downSite)).finally(() => process.exit(130)))
  const onOne = files.filter((file) => !needsLinux(file) && !needsPair(file))
  const onLinux = files.filter(needsLinux)
  // Guests go from one to the other while they run.
  const pair = { hosts: 2, xen: release === HOME_RELEASE ? 'shadow' : xen, release, busy } as const
  await buildRoot(release)
  const exits = [await runPart(dir, onOne, path, { hosts: hosts ?? 1, xen, release })]
  // An emulated processor is a thread of its own, and with more of them at work than this machine has each takes several times
  // as long. Of a pair mostly one is: so what needs no Xen goes beside it, and nothing else goes beside anything.
  const others = [
    runPart(dir, files.filter(needsPair), path, pair),
    runPart(linuxDir, onLinux, path, { hosts: 0, linux: true, xen, release }),
  ]
  exits.push(...(await Promise.all(others)))
  return exits.find((exit) => exit !== 0) ?? 0
}

/** The PATH of a suite: what a bare machine has, and what the lab says that it needs. */
const openPath = (): string =>
  openShelf('lab', join(root, 'node_modules/.cache/pengx-lab/programs')) ?? process.env.PATH ?? ''

/** Boots what these suites need, runs them, and ends it; does not fail, so that whatever goes beside it has its end too. */
async function runPart(dir: string, files: readonly string[], path: string, options: SiteOptions): Promise<number> {
  if (files.length === 0) return 0
  try {
    return await runSuites(await upSite(dir, options), files, path)
  } catch (error) {
    say((error as Error).message)
    return 1
  } finally {
    await downSite(dir)
  }
}

/** A suite that needs two hosts says so in its name: `NAME.pair.e2e.ts`. */
const needsPair = (file: string): boolean => file.includes('.pair.')

/** One that needs no Xen, only what a Linux host has for storage: `NAME.linux.e2e.ts`. */
const needsLinux = (file: string): boolean => file.includes('.linux.')

/** One whose ground changes seldom, and which would keep a whole run waiting. */
const takesLong = (file: string): boolean => file.includes('/long/')

/** One that keeps to names, directories and groups of its own, and asks of a host only what is its own: `NAME.shared.e2e.ts`. */
const sharesHost = (file: string): boolean => file.includes('.shared.')

/** What takes longest, in this order: of those that may begin they go first, so that none of them ends with nothing beside it. */
const LONGEST = ['rows', 'life', 'kills', 'backups', 'moves', 'snapshots', 'devices', 'transfer', 'templates']

const rankOf = (file: string): number => {
  const rank = LONGEST.findIndex((name) => basename(file).startsWith(`${name}.`))
  return rank < 0 ? LONGEST.length : rank
}

/**
 * One bun process a suite. Those that share are side by side, as many as a host has processors; the others are alone on
 * one. Of two Xen hosts each takes the next suite; those of a pair have both, afterwards.
 */
async function runSuites(site: Site, files: readonly string[], path: string): Promise<number> {
  const onXen = files.filter((file) => !needsPair(file) && !needsLinux(file)).sort((a, b) => rankOf(a) - rankOf(b))
  const pairs = files.filter(needsPair)
  const xens = site.hosts.filter(({ name }) => isXen(name))
  const wanted = pairs.length > 0 ? 2 : Math.min(onXen.length, 1)
  if (xens.length < wanted)
    throw new Error(`these suites need Xen hosts, ${wanted}, and the lab runs with ${xens.length}`)
  const exits: number[] = []
  const inLanes = async (all: readonly string[], hosts: readonly LabHost[], whole = false) => {
    const left = [...all]
    const lanes = hosts.slice(0, all.length)
    const lane = async (host: LabHost) => {
      for (let file = left.shift(); file; file = left.shift())
        exits.push(await runSuite(file, [host], path, whole || lanes.length > 1))
    }
    await Promise.all(lanes.map(lane))
  }
  const cpusOf = ({ name }: LabHost) => site.machines.find((machine) => machine.name === name)!.cpus
  const onLinux = files.filter(needsLinux)
  if (onLinux.length > 0) await inLanes(onLinux, [needHost(site, 'linux1')], true)
  const alone = onXen.filter((file) => !sharesHost(file))
  const sharing = onXen.filter(sharesHost)
  if (xens.every((host) => cpusOf(host) === 1)) await inLanes([...alone, ...sharing], xens)
  else {
    await inLanes(alone, xens)
    const lanes = xens.flatMap((host) => Array<LabHost>(cpusOf(host)).fill(host))
    await inLanes(sharing, lanes)
  }
  for (const file of pairs) exits.push(await runSuite(file, xens, path, false))
  return exits.find((exit) => exit !== 0) ?? 0
}

function needHost({ hosts }: Site, name: string): LabHost {
  const host = hosts.find((one) => one.name === name)
  if (!host) throw new Error(`the lab runs without ${name}: npm run lab -- up --linux`)
  return host
}

/** Its output as it comes, or whole at its end where another's would come between. */
async function runSuite(file: string, hosts: readonly LabHost[], path: string, whole: boolean): Promise<number> {
  const argv = [process.execPath, 'test', '--timeout', String(TEST_TIMEOUT_MS), `./test/lab/${file}`]
  const env = { ...process.env, PATH: path, PENGX_LAB_HOSTS: JSON.stringify(hosts) }
  const name = `${basename(file)} on ${hosts.map((host) => host.name).join(' ')}`
  const code = await timed(name, async () => {
    if (!whole) return await Bun.spawn(argv, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] }).exited
    const said = await output(argv, { cwd: root, env })
    process.stdout.write(`${said.stdout}${said.stderr}`)
    return said.exit
  })
  if (code !== 0) say(`${name}: exit ${code}`)
  return code
}

async function transcripts(options: SiteOptions, onRunning: boolean): Promise<number> {
  if (onRunning) return await renewTranscripts(async () => running().hosts[0]!)
  await needPrograms()
  const dir = join(runs, `test-${process.pid}`)
  try {
    return await renewTranscripts(async () => {
      await downSite(dir)
      return (await upSite(dir, options)).hosts[0]!
    })
  } finally {
    await downSite(dir)
  }
}

async function main(): Promise<number> {
  const [command, ...rest] = process.argv.slice(2)
  if (command === 'ssh') return await ssh(rest) // its words are another program's
  const { values, positionals } = parseArgs({
    args: rest,
    allowPositionals: true,
    options: {
      hosts: { type: 'string' },
      linux: { type: 'boolean', default: false },
      xen: { type: 'string' },
      release: { type: 'string', default: HOME_RELEASE },
      running: { type: 'boolean', default: false },
      all: { type: 'boolean', default: false },
    },
  })
  const isDay = command === 'soak' && positionals.every((word) => /^\d+$/.test(word))
  const xen = values.xen ?? (isDay ? 'shadow' : 'update')
  if (xen !== 'update' && xen !== 'shadow') throw new Error('--xen is update or shadow')
  const release = RELEASES.find((one) => one === values.release)
  if (!release) throw new Error(`--release is one of ${RELEASES.join(' ')}`)
  const hosts = values.hosts === undefined ? undefined : Number(values.hosts)
  const run: Omit<Run, 'kind'> = { names: positionals, all: values.all, onRunning: values.running, hosts, xen, release }
  switch (command) {
    case 'build':
      await needPrograms()
      say(`root: ${(await buildRoot(release)).image}`)
      return 0
    case 'up':
      return await up({ hosts: hosts ?? 1, linux: values.linux, xen, release })
    case 'down':
      await downSite(upDir)
      await sweepSites(runs)
      return 0
    case 'test':
      return await suites({ kind: 'e2e', ...run })
    case 'soak':
      if (!isDay) return await suites({ kind: 'soak', ...run })
      if (positionals[0] !== undefined) process.env.PENGX_MINUTES = positionals[0]
      // Suites have only the programs of a bare machine, which has no git.
      process.env.PENGX_COMMIT = (await need(['git', 'describe', '--always', '--dirty'], { cwd: root })).trim()
      return await suites({ kind: 'soak', ...run, names: ['day'], busy: 'xen2' })
    case 'transcripts':
      return await transcripts({ hosts: 1, xen, release }, values.running)
    default:
      say(
        'commands: transcripts | build | up [--hosts 2] [--linux] [--xen shadow] | down | ssh [HOST] [COMMAND…] | test [--all] [NAME…] | soak [MINUTES | NAME…]',
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
