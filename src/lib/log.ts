import { renameSync, statSync } from 'node:fs'
import pino from 'pino'

/** What a running pengx writes down for its administrator: JSON lines, readable by the owner alone. */
export interface Log {
  info(fields: object, message: string): void
  error(fields: object, message: string): void
}

const TURN_BYTES = 10 * 1024 * 1024
/** How much is held of what cannot be written at the moment; what comes after that is dropped. */
const HELD_BYTES = 256 * 1024

/**
 * Opens the log, turning a full one to `PATH.1`. A log that cannot be written is `undefined`: pengx works on without.
 * It is written synchronously, because the most important line is the last one before an end.
 */
export function openLog(path: string): Log | undefined {
  try {
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > TURN_BYTES) renameSync(path, `${path}.1`)
    const destination = pino.destination({ dest: path, sync: true, mode: 0o600, maxLength: HELD_BYTES })
    // A disk that becomes full is no reason to end: what is written then follows when there is room.
    destination.on('error', () => undefined)
    return pino({ base: { pid: process.pid } }, destination)
  } catch {
    return undefined
  }
}
