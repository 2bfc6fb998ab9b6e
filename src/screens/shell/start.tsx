import { render } from 'ink'
import type { Engine } from '../../engine/engine.ts'
import { mouseSequence, withoutClicks } from '../../ui/mouseInput.ts'
import { createPlaceholders } from '../../ui/placeholders.ts'
import { type GraphStyle, themeOf } from '../../ui/theme.ts'
import { type AppContext, createApp } from '../app/context.ts'
import { type Announcer, createAnnouncer } from '../screenReader/announcer.ts'
import { READER_SIZE } from '../screenReader/sentences.ts'
import { App } from './App.tsx'
import { aliasesOf } from './aliases.ts'
import { type CopyWays, copyText } from './clipboard.ts'
import { paint } from './frame.ts'
import { handleClick } from './mouse.ts'
import { formatPreferences, type PreferenceStore, parsePreferences } from './preferences.ts'
import { askHostKey } from './quit.ts'

export interface StartOptions {
  readonly siteName?: string
  /** Marks the site in the header and makes every question one level stricter. */
  readonly production?: boolean
  readonly ascii?: boolean
  readonly graph?: GraphStyle
  /** False: nothing is bold for a moment because it has just changed. */
  readonly motion?: boolean
  /** Words in place of frames, for those who hear them: no alternate screen, nothing that changes by itself. */
  readonly screenReader?: boolean
  readonly stdin?: NodeJS.ReadStream
  readonly stdout?: NodeJS.WriteStream
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly now?: () => number
  /** Called with how to give the terminal back, for whoever prints a last line after a crash. */
  readonly onMounted?: (restore: () => void) => void
  /** Keys of one's own, by operation or by what a key is called in help. */
  readonly keys?: Readonly<Record<string, readonly string[]>>
  /** Besides the terminal itself. */
  readonly copyWays?: CopyWays
  /** Where it is kept how lists are sorted and what they show. */
  readonly preferences?: PreferenceStore
  /** Writes whole frames and not differences: for tests. */
  readonly wholeFrames?: boolean
  /** Asked to end by something other than a key. */
  readonly signal?: AbortSignal
}

/** Shows the screens until a person leaves them. */
export async function startScreens(engine: Engine, options: StartOptions = {}): Promise<void> {
  const stdout = options.stdout ?? process.stdout
  const environment = options.environment ?? process.env
  const screenReader = options.screenReader ?? false
  const sizeOf = () => (screenReader ? READER_SIZE : { columns: stdout.columns || 80, rows: stdout.rows || 24 })
  let suspend: ((work: () => Promise<void>) => Promise<void>) | undefined

  const listenToMouse = (on: boolean) => void stdout.write(mouseSequence(on))
  const app: AppContext = createApp(
    engine,
    {
      siteName: options.siteName ?? '',
      production: options.production ?? false,
      theme: themeOf(environment, options.ascii ?? false, options.graph),
      motion: options.motion ?? true,
      now: options.now ?? Date.now,
      aliases: aliasesOf(options.keys ?? {}),
      ...(screenReader ? {} : { listenToMouse }),
      copy: (text) => copyText(text, (sequence) => stdout.write(sequence), environment, options.copyWays),
    },
    sizeOf(),
    {
      paint: screenReader ? () => announcer?.announce() : paint,
      handOver: async (work) => {
        const { mouse } = app.state()
        if (mouse) listenToMouse(false)
        await suspend?.(work)
        if (mouse) listenToMouse(true)
        resize()
      },
      leave: () => instance.unmount(),
    },
  )
  const lend = (lent: typeof suspend) => {
    suspend = lent
  }
  const placeholders = createPlaceholders(stdout)
  const resize = () => {
    placeholders.forget()
    app.set({ size: sizeOf() })
  }

  const announcer = screenReader ? createAnnouncer(app) : undefined

  app.store.setState({ lists: parsePreferences(options.preferences?.read()) })
  if (announcer) greet(app, announcer)
  else paint(app)
  // The first frame is drawn from where the cursor is; a prompt without a line end must not shift it.
  if (stdout.isTTY) stdout.write('\r')
  const instance = render(
    <App app={app} placeholders={placeholders} lend={lend} {...(announcer ? { announcer } : {})} />,
    {
      stdout: screenReader ? stdout : placeholders.stdout,
      stdin: withoutClicks(options.stdin ?? process.stdin, (click) => handleClick(app, click)),
      alternateScreen: options.wholeFrames !== true && !screenReader,
      isScreenReaderEnabled: screenReader,
      debug: options.wholeFrames === true,
      incrementalRendering: true,
      maxFps: 15,
      exitOnCtrlC: false,
      patchConsole: false,
      interactive: stdout.isTTY === true,
    },
  )
  stdout.on('resize', resize)
  options.onMounted?.(() => {
    if (app.state().mouse) listenToMouse(false)
    instance.unmount()
  })
  options.signal?.addEventListener('abort', () => instance.unmount())
  engine.setHostKeyPrompt((question) => askHostKey(app, question))
  try {
    await instance.waitUntilExit()
  } finally {
    if (app.state().mouse) listenToMouse(false)
    engine.setHostKeyPrompt(undefined)
    options.preferences?.write(formatPreferences(app.state().lists))
    stdout.off('resize', resize)
    app.dispose()
    instance.cleanup()
  }
}

function greet(app: AppContext, announcer: Announcer): void {
  const { siteName, production } = app.options
  const site = siteName === '' ? '' : `, site ${siteName}${production ? ', production' : ''}`
  const readOnly = app.engine.readOnly ? ', read-only' : ''
  const keys = 'j and k move, enter opens, x lists actions, colon goes anywhere, question mark lists keys, q quits.'
  app.store.setState({ said: [`pengx${site}${readOnly}. ${keys}`] })
  announcer.afterKey()
}
