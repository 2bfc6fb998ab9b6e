import { PengxError } from '../../model/error.ts'
import type { Output } from '../host/host.ts'
import { explainXl, lastWords, redact, type XlError } from '../tools/xl/error.ts'

/**
 * The error for an xl that failed, not thrown here: the code and sentence of what it meant, or `commandFailed` and
 * its own last words; passwords are in neither text nor cause.
 */
export function xlFailure(
  doing: string,
  output: Output,
  secrets: readonly string[] = [],
  explained?: XlError,
): PengxError {
  const meant = explained ?? explainXl(output.stderr)
  const words = meant?.message ?? (lastWords(output.stderr) || `xl exited with ${output.exit} and no word`)
  const cause = { ...output, stdout: redact(output.stdout, secrets), stderr: redact(output.stderr, secrets) }
  return new PengxError(meant?.code ?? 'commandFailed', redact(`${doing}: ${words}`, secrets), { cause })
}
