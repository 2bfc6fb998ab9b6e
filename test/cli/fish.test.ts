import { shellCompletion } from '../contract/shellCompletion.ts'
import { openShell } from '../support/shell.ts'

shellCompletion('fish', () => openShell('fish'))
