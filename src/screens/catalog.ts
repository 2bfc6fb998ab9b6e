import type { Desk } from './desk.ts'
import { jobScreen } from './job.ts'
import { jobsScreen } from './jobs.ts'
import { logScreen } from './log.ts'
import { perfScreen } from './perf.ts'
import { pmsScreen } from './pms.ts'
import type { Screen } from './screen.ts'
import { storageScreen } from './storage.ts'
import { templateScreen } from './template.ts'
import { templatesScreen } from './templates.ts'
import { vmScreen } from './vm.ts'
import { vmsScreen } from './vms.ts'

/** Every screen there is, in the order of the place bar. */
export const screens: readonly Screen[] = [
  pmsScreen,
  perfScreen,
  vmsScreen,
  vmScreen,
  templatesScreen,
  templateScreen,
  storageScreen,
  jobsScreen,
  jobScreen,
  logScreen,
]

/** The screen that is shown. */
export function screenOf(desk: Desk): Screen {
  const { screen } = desk.stop()
  return screens.find(({ name }) => name === screen)!
}
