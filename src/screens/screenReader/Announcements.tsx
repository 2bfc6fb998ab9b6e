import { Box, Static, Text } from 'ink'
import { useSyncExternalStore } from 'react'
import type { ScreenStore } from '../app/state.ts'

/** What was said, which stays as it is, and the line where one is. */
export function Announcements({ store }: { store: ScreenStore }) {
  const said = useSyncExternalStore(store.subscribe, () => store.getState().said)
  const here = useSyncExternalStore(store.subscribe, () => store.getState().here)
  return (
    <Box flexDirection="column">
      <Static items={[...said]}>{(text, index) => <Text key={index}>{text}</Text>}</Static>
      <Text aria-label={here}>{here}</Text>
    </Box>
  )
}
