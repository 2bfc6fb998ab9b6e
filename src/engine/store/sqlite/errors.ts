import { type Code, PengxError } from '../../../model/error.ts'

/** What a failure of SQLite or of the file system below it is to a person. */
export function toStoreError(error: unknown, where: string): PengxError {
  if (error instanceof PengxError) return error
  const code = codeOf(error)
  const because = { cause: error }
  if (FULL.has(code)) return unwritten('noSpace', `cannot write store ${where}`, 'the disk is full', error)
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS')
    return unwritten('readOnly', `cannot write store ${where}`, 'the file or its directory is read-only', error)
  if (code === 'EACCES' || code === 'EPERM' || code === 'SQLITE_PERM' || code === 'SQLITE_AUTH')
    return unwritten('readOnly', `cannot open store ${where}`, 'permission denied', error)
  if (code.startsWith('SQLITE_CANTOPEN') || NOT_A_FILE.has(code))
    return unwritten('invalid', `cannot open store ${where}`, 'it is not a file that can be opened', error)
  if (code === 'SQLITE_NOTADB')
    return new PengxError('invalid', `cannot open store ${where}: it is not a pengx store`, because)
  if (code.startsWith('SQLITE_CORRUPT'))
    return new PengxError(
      'internal',
      `store ${where} is damaged: put it aside and start with a new one, or bring back a copy`,
      because,
    )
  if (isBusy(error))
    return marked(
      new PengxError('busy', `store ${where} has been held by another process for too long`, because),
      'another process holds it',
    )
  if (code.startsWith('SQLITE_IOERR'))
    return unwritten('internal', `cannot read or write store ${where}`, `the disk fails (${code})`, error)
  if (code.startsWith('SQLITE_CONSTRAINT'))
    return new PengxError('conflict', `store ${where} refuses it: ${messageOf(error).toLowerCase()}`, because)
  return new PengxError('internal', `store ${where}: ${messageOf(error)}`, because)
}

/** The files that processes share beside the store cannot be made larger, which is the disk's fault too. */
const FULL = new Set(['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE', 'ENOSPC', 'EDQUOT'])

const NOT_A_FILE = new Set(['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOENT', 'ELOOP', 'ENAMETOOLONG'])

/** Errors that tell of the store and not of what was asked of it, with the reason alone. */
const REASONS = new WeakMap<Error, string>()

function marked(error: PengxError, why: string): PengxError {
  REASONS.set(error, why)
  return error
}

function unwritten(code: Code, what: string, why: string, cause: unknown): PengxError {
  return marked(new PengxError(code, `${what}: ${why}`, { cause }), why)
}

/**
 * Why the store could not be written (or read), where that is what an error, or what it was caused by, tells of: the same
 * will go well as soon as the store does. Undefined for every other error.
 */
export function troubleIn(error: unknown): { readonly code: Code; readonly why: string } | undefined {
  for (let one = error; one instanceof Error; one = one.cause) {
    const why = REASONS.get(one)
    if (why !== undefined) return { code: (one as PengxError).code, why }
  }
  return undefined
}

/** Another process is at work on the file, so trying again helps. */
export function isBusy(error: unknown): boolean {
  const code = codeOf(error)
  return code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' ? code : ''
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
