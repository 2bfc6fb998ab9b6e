import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Invocation, SiteArgs, Subcommand } from './args.ts'
import { parseCommandLine } from './args.ts'
import { exitOfCode } from './cli/exit.ts'
import { processIo } from './cli/io.ts'
import { type Config, type EngineUse, engineConfig, readConfig } from './config.ts'
import { takeCareOfTheEnd } from './ending.ts'
import type { Engine, EngineConfig } from './engine/engine.ts'
import { systemClock } from './lib/clock.ts'
import { stripControl } from './lib/text.ts'
import { PengxError, toPengxError } from './model/error.ts'

/**
 * From a command line to the end of the process: settles the configuration, opens what the subcommand needs, and closes it
 * again whatever comes between.
 */
export async function start(argv: readonly string[], version: string): Promise<void> {
  const ending = takeCareOfTheEnd()
  try {
    const invocation = understand(argv)
    const config = readConfig(invocation.site)
    ending.logTo(config.logPath)
    for (const problem of config.problems) processIo.err(`pengx: ${stripControl(problem)}\n`)
    await ending.exit(await carryOut(invocation, config, version, ending))
  } catch (error) {
    const failure = toPengxError(error)
    processIo.err(`pengx: ${failure.message}\n`)
    if (failure.code === 'internal') ending.log(failure)
    await ending.exit(exitOfCode(failure.code))
  }
}

function understand(argv: readonly string[]): Invocation {
  try {
    return parseCommandLine(argv)
  } catch (error) {
    const { code, message } = toPengxError(error)
    throw new PengxError(code, `${message}\npengx: \`pengx --help\` shows how it is used`, { cause: error })
  }
}

type Open = (use: EngineUse) => Promise<Engine>
/** Lists and plans look, and leave everything else as it is. */
const READING: EngineUse = { watch: 'never', recovers: false }
type Ending = ReturnType<typeof takeCareOfTheEnd>

async function carryOut(
  { subcommand, site }: Invocation,
  config: Config,
  version: string,
  ending: Ending,
): Promise<number> {
  const text = await plainText(subcommand, config, version)
  if (text !== undefined) {
    await processIo.out(text)
    return 0
  }
  const open: Open = async (use) => {
    const { createEngine } = await import('./engine/engine.ts')
    // A line that is being typed makes no store, and no directory for one.
    const isNowhere = subcommand.kind === 'complete' && !site.demo && !existsSync(config.storePath)
    const engine = await createEngine(
      isNowhere
        ? nowhere(config)
        : { ...engineConfig(config, site, use), ...(site.demo ? { sim: await simulate(site.demo) } : {}) },
    )
    ending.onEnd(() => engine.close())
    if (use.recovers) {
      const { sayLeft } = await import('./cli/leftBehind.ts')
      ending.onEnd(() => sayLeft(engine, processIo))
    }
    return engine
  }
  switch (subcommand.kind) {
    case 'list': {
      const { printList } = await import('./cli/list.ts')
      return printList(await open(READING), subcommand, processIo)
    }
    case 'verify': {
      const { printFindings } = await import('./cli/verify.ts')
      return printFindings(await open(READING), subcommand, processIo)
    }
    case 'gc': {
      const { collectGarbage } = await import('./cli/gc.ts')
      return collectGarbage(await open({ watch: 'never', recovers: subcommand.yes }), subcommand, processIo)
    }
    case 'run': {
      const { runOperation } = await import('./cli/run.ts')
      const { operation, plan, help } = subcommand
      const isDone = operation !== undefined && !plan && !help
      return runOperation(await open({ watch: 'never', recovers: isDone }), subcommand, processIo)
    }
    case 'complete': {
      const { completions } = await import('./cli/completion.ts')
      await processIo.out(completions(await open(READING), subcommand.words))
      return 0
    }
    case 'terminal':
      if (process.stdin.isTTY && process.stdout.isTTY)
        return showScreens(open({ watch: 'beat', recovers: true, behind: true }), site, config, ending)
      return (await import('./cli/list.ts')).printSite(await open(READING), processIo)
    case 'serve':
      return serve(subcommand, open, config, ending)
    default:
      throw new PengxError('internal', `nobody carries out "${subcommand.kind}"`)
  }
}

/** Machines that are none: whoever asked for the demo has these and no others. */
async function simulate({ vmCount }: NonNullable<SiteArgs['demo']>): Promise<EngineConfig['sim']> {
  const { createSimSite } = await import('./sim/site.ts')
  return createSimSite({ ...(vmCount === undefined ? {} : { vmCount }), joined: true, clock: systemClock })
}

function nowhere({ knownHostsPath }: Config): EngineConfig {
  return { store: 'memory', destinations: [], local: false, readOnly: true, knownHostsPath, ...READING }
}

/** The screens load while the store opens: the first frame waits for both. */
async function showScreens(opening: Promise<Engine>, site: SiteArgs, config: Config, ending: Ending): Promise<number> {
  const [{ startScreens }, engine] = await Promise.all([import('./screens/shell/start.tsx'), opening])
  const leaving = new AbortController()
  ending.onEnd(() => leaving.abort())
  const { settings } = config
  await startScreens(engine, {
    siteName: settings.site.name || (site.demo ? 'demo' : ''),
    production: settings.site.production,
    screenReader: site.screenReader === true || process.env.INK_SCREEN_READER === 'true',
    ...(settings.terminal.graph ? { graph: settings.terminal.graph as 'braille' | 'block' | 'ascii' } : {}),
    motion: settings.terminal.motion,
    ascii: site.ascii || settings.terminal.ascii,
    keys: settings.keys,
    ...(site.demo ? {} : { preferences: keptIn(config.keptPath) }),
    copyWays: waysToCopy(join(dirname(config.keptPath), 'copied.txt')),
    signal: leaving.signal,
    onMounted: ending.onCrash,
  })
  return 0
}

/** How lists are sorted and what they show, from one time to the next; losing it costs nobody anything. */
function keptIn(path: string): { read(): string | undefined; write(text: string): void } {
  return {
    read() {
      try {
        return readFileSync(path, 'utf8')
      } catch {
        return undefined
      }
    },
    write(text) {
      try {
        writeFileSync(path, text, { mode: 0o600 })
      } catch {
        // A read-only place keeps nothing.
      }
    },
  }
}

/**
 * Where a copied text goes when the terminal itself does not take it.
 *
 * @internal Exported for the test with a real tmux, to which a screen would only add a second terminal.
 */
export function waysToCopy(path: string): { tmux(text: string): Promise<void>; file(text: string): string } {
  return {
    async tmux(text) {
      const [{ openLocalHost }, { run }] = await Promise.all([
        import('./engine/host/local.ts'),
        import('./engine/host/run.ts'),
      ])
      const argv = ['tmux', 'load-buffer', '-w', '-'] as const
      await run(openLocalHost('this machine'), { argv, effect: 'change', endable: true, stdin: text, timeoutMs: 2000 })
    },
    file(text) {
      writeFileSync(path, text, { mode: 0o600 })
      return path
    },
  }
}

type Serve = Extract<Subcommand, { kind: 'serve' }>

async function serve(subcommand: Serve, open: Open, config: Config, ending: Ending): Promise<number> {
  const [{ startServer }, { parseListen }, { openLog }] = await Promise.all([
    import('./server/serve.ts'),
    import('./server/listen.ts'),
    import('./lib/log.ts'),
  ])
  parseListen(subcommand.listen)
  const asked = ending.asked()
  const tokenFile = subcommand.tokenFile ?? config.tokenPath
  const engine = await open({ watch: 'beat', recovers: true })
  const server = await startServer(engine, {
    listen: subcommand.listen,
    noAuth: !subcommand.auth,
    tokenFile,
    log: openLog(config.logPath) ?? SILENT,
  })
  ending.onEnd(() => server.stop())
  processIo.err(
    `pengx: serving ${server.url}${subcommand.auth ? `, token in ${tokenFile}` : ', no token is asked for'}\n`,
  )
  const { sayTakenOver } = await import('./cli/leftBehind.ts')
  void sayTakenOver(engine, processIo)
  await asked
  return 0
}

const SILENT = { info: () => undefined, error: () => undefined }

/** What is printed without an engine. */
async function plainText(subcommand: Subcommand, config: Config, version: string): Promise<string | undefined> {
  if (subcommand.kind === 'version') return `pengx ${version}\n`
  if (subcommand.kind === 'help') return (await import('./cli/help.ts')).HELP
  if (subcommand.kind === 'completion') return (await import('./cli/completion.ts')).completionScript(subcommand.shell)
  if (subcommand.kind === 'token') {
    const { readOrCreateToken } = await import('./server/token.ts')
    return `${await readOrCreateToken(subcommand.tokenFile ?? config.tokenPath)}\n`
  }
  if (subcommand.kind !== 'config') return undefined
  const { formatInForce } = await import('./cli/settingsText.ts')
  const { formatSettings } = await import('./settings.ts')
  return formatInForce(config, formatSettings(config.settings))
}
