/**
 * The reasons for which something is not done. `conflict` promises that nothing was changed, so a step
 * that fails with it needs no undo; `commandFailed` promises nothing.
 */
const CODES = [
  'invalid',
  'notFound',
  'conflict',
  'busy',
  'refused',
  'unsupported',
  'readOnly',
  'unreachable',
  'commandFailed',
  'noSpace',
  'cancelled',
  'internal',
] as const

export type Code = (typeof CODES)[number]

/** Lower case; what, which, why, what would help. Foreign output goes into `cause`, never into the text whole. */
export class PengxError extends Error {
  constructor(
    readonly code: Code,
    message: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
    this.name = 'PengxError'
  }
}

/** What anything thrown is to a person: foreign errors are `internal`. */
export function toPengxError(error: unknown): PengxError {
  if (error instanceof PengxError) return error
  const text = error instanceof Error ? error.message : String(error)
  return new PengxError('internal', text, { cause: error })
}
