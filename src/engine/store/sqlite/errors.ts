import { PengxError } from '../../../model/error.ts'

/** What a failure of SQLite or of the file system below it is to a person. */
export function toStoreError(error: unknown, where: string): PengxError {
  if (error instanceof PengxError) return error
  const code = codeOf(error)
  const because = { cause: error }
  if (code === 'SQLITE_FULL' || code === 'ENOSPC' || code === 'EDQUOT')
    return new PengxError('noSpace', `cannot write store ${where}: the disk is full`, because)
  if (code.startsWith('SQLITE_READONLY') || code === 'EROFS')
    return new PengxError('readOnly', `cannot write store ${where}: the file or its directory is read-only`, because)
  if (code === 'EACCES' || code === 'EPERM' || code === 'SQLITE_PERM' || code === 'SQLITE_AUTH')
    return new PengxError('readOnly', `cannot open store ${where}: permission denied`, because)
  if (code.startsWith('SQLITE_CANTOPEN') || NOT_A_FILE.has(code))
    return new PengxError('invalid', `cannot open store ${where}: it is not a file that can be opened`, because)
  if (code === 'SQLITE_NOTADB')
    return new PengxError('invalid', `cannot open store ${where}: it is not a pengx store`, because)
  if (code.startsWith('SQLITE_CORRUPT'))
    return new PengxError(
      'internal',
      `store ${where} is damaged: put it aside and start with a new one, or bring back a copy`,
      because,
    )
  if (isBusy(error))
    return new PengxError('busy', `store ${where} has been held by another process for too long`, because)
  if (code.startsWith('SQLITE_IOERR'))
    return new PengxError('internal', `cannot read or write store ${where}: the disk fails (${code})`, because)
  if (code.startsWith('SQLITE_CONSTRAINT'))
    return new PengxError('conflict', `store ${where} refuses it: ${messageOf(error).toLowerCase()}`, because)
  return new PengxError('internal', `store ${where}: ${messageOf(error)}`, because)
}

const NOT_A_FILE = new Set(['EISDIR', 'ENOTDIR', 'EEXIST', 'ENOENT', 'ELOOP', 'ENAMETOOLONG'])

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
