import { PengxError } from '../../model/error.ts'

/** What the library's errors say beyond their text. */
export interface SshError extends Error {
  readonly level?: string
  readonly code?: string | number
}

/** What was tried, as far as a person must know it to help. */
interface Attempt {
  readonly user: string
  readonly connectTimeoutMs: number
  readonly tried: readonly string[]
  /** Why something that was meant to be tried was not. */
  readonly problems: readonly string[]
}

/**
 * The error for a connection that did not come about, as the bare reason, not thrown here: `refused` for a login,
 * else `unreachable`.
 */
export function dialFailure(error: SshError, attempt: Attempt): PengxError {
  const cause = { cause: error }
  if (error.level === 'client-authentication') {
    const tried = attempt.tried.length === 0 ? 'there is no key to try' : `tried ${attempt.tried.join(', ')}`
    const text = [`it does not let ${attempt.user} in (${tried})`, ...attempt.problems].join('; ')
    return new PengxError('refused', text, cause)
  }
  if (error.level === 'client-timeout') {
    return new PengxError('unreachable', `no answer within ${attempt.connectTimeoutMs / 1000} s`, cause)
  }
  if (/no matching/i.test(error.message)) {
    const text = `${error.message}: its sshd must allow curve25519 or ecdh, and aes-gcm or aes-ctr`
    return new PengxError('unreachable', text, cause)
  }
  return new PengxError('unreachable', REASONS[String(error.code)] ?? error.message, cause)
}

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to its network',
  ETIMEDOUT: 'no answer',
  ENOTFOUND: 'its name is not known',
  EAI_AGAIN: 'its name cannot be looked up now',
}

const SIGNALS: Readonly<Record<string, number>> = {
  HUP: 1,
  INT: 2,
  QUIT: 3,
  ILL: 4,
  ABRT: 6,
  FPE: 8,
  KILL: 9,
  USR1: 10,
  SEGV: 11,
  USR2: 12,
  PIPE: 13,
  ALRM: 14,
  TERM: 15,
}

/** 128 + N for a signal by its name, as shells count. */
export function signalExit(signal: string | undefined): number {
  return 128 + (SIGNALS[(signal ?? '').replace(/^SIG/, '')] ?? 0)
}
