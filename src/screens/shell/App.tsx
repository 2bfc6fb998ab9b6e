import { Box, Text, useApp, useInput, usePaste } from 'ink'
import { memo, useEffect, useState, useSyncExternalStore } from 'react'
import { createKeyReader, textKeys } from '../../ui/keymap.ts'
import type { Placeholders } from '../../ui/placeholders.ts'
import type { AppContext } from '../app/context.ts'
import type { ScreenStore } from '../app/state.ts'
import { Announcements } from '../screenReader/Announcements.tsx'
import type { Announcer } from '../screenReader/announcer.ts'
import { handleKey } from './handleKey.ts'

/**
 * The frame on the terminal. What stands in it is worked out elsewhere, line by line; here each line is one Text that
 * is drawn again only when it differs (and holds its placeholder: ui/placeholders.ts), and there is one ear for keys.
 */
export function App({
  app,
  placeholders,
  lend,
  announcer,
}: {
  app: AppContext
  placeholders: Pick<Placeholders, 'of'>
  lend: (suspend: (work: () => Promise<void>) => Promise<void>) => void
  /** Says in words what is else drawn. */
  announcer?: Announcer
}) {
  const { suspendTerminal } = useApp()
  const [read] = useState(() => createKeyReader())
  useEffect(() => lend((work) => suspendTerminal(work)), [lend, suspendTerminal])
  useInput((input, key) => {
    for (const name of read(input, key)) handleKey(app, name)
    announcer?.afterKey()
  })
  usePaste((text) => {
    for (const name of textKeys(text)) if (name !== 'enter' && name !== 'esc') handleKey(app, name)
    announcer?.afterKey()
  })
  const size = useSyncExternalStore(app.store.subscribe, () => app.store.getState().size)
  if (announcer) return <Announcements store={app.store} />
  return (
    <Box height={size.rows} flexDirection="column">
      {Array.from({ length: size.rows }, (_, index) => (
        <FrameLine key={index} store={app.store} placeholders={placeholders} index={index} />
      ))}
    </Box>
  )
}

const FrameLine = memo(function FrameLine({
  store,
  placeholders,
  index,
}: {
  store: ScreenStore
  placeholders: Pick<Placeholders, 'of'>
  index: number
}) {
  const text = useSyncExternalStore(store.subscribe, () => store.getState().lines[index] ?? '')
  return <Text>{placeholders.of(index, text)}</Text>
})
