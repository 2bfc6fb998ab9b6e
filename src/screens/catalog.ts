import type { AppContext } from './app/context.ts'
import { backupsScreen } from './backup/backups.ts'
import { jobScreen } from './job/job.ts'
import { jobsScreen } from './job/jobs.ts'
import { logScreen } from './job/log.ts'
import { perfScreen } from './perf/perf.ts'
import { pmsScreen } from './pm/pms.ts'
import type { Screen } from './screen.ts'
import { storageScreen } from './storage/storage.ts'
import { templateScreen } from './template/template.ts'
import { templatesScreen } from './template/templates.ts'
import { verifyScreen } from './verify/verify.ts'
import { vmScreen } from './vm/vm.ts'
import { vmsScreen } from './vm/vms.ts'

/** Every screen there is, in the order of the place bar. */
export const screens: readonly Screen[] = [
  pmsScreen,
  perfScreen,
  vmsScreen,
  vmScreen,
  templatesScreen,
  templateScreen,
  storageScreen,
  backupsScreen,
  verifyScreen,
  jobsScreen,
  jobScreen,
  logScreen,
]

/** The screen that is shown. */
export function screenOf(app: AppContext): Screen {
  const { screen } = app.route()
  return screens.find(({ name }) => name === screen)!
}
