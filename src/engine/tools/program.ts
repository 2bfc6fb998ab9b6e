/**
 * A foreign program's command line as data. It is what a Host opens (host/host.ts, `Command`), said here in the few
 * words that argv builders need: tools know nothing of hosts.
 */
export interface Program {
  readonly argv: readonly [string, ...string[]]
  readonly effect: 'read' | 'change'
  readonly stdin?: string | Uint8Array
  readonly okExits?: readonly number[]
  /** What it may say and nobody may hear: passwords in a file that it reads. */
  readonly secrets?: readonly string[]
  /** A change that may be ended half way, since doing it again makes it whole. */
  readonly endable?: true
}

export function reads(...argv: [string, ...string[]]): Program {
  return { argv, effect: 'read' }
}

export function changes(...argv: [string, ...string[]]): Program {
  return { argv, effect: 'change' }
}

/** A change that may be ended half way: what it has written by then is thrown away, or written anew. */
export function endable(...argv: [string, ...string[]]): Program {
  return { argv, effect: 'change', endable: true }
}

/** Exits that a part of a batch may have without ending the batch: all that a program can give. */
export const ANY_EXIT: readonly number[] = [...Array(14).keys(), 126, 127, 253, 255]
