import { shellCompletion } from '../contract/shellCompletion.ts'
import { openShell } from '../support/shell.ts'

shellCompletion('zsh', () => openShell('zsh'))
