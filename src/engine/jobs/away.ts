import { toPengxError } from '../../model/error.ts'
import type { Host } from '../host/host.ts'

/** A host that tells when it could not be reached; what failed fails all the same. */
export function tellAway(host: Host, away: () => void): Host {
  return {
    ...host,
    async open(...given) {
      const process = await told(host.open(...given), away)
      process.exited.catch((error) => isUnreachable(error) && away())
      return process
    },
    connect: (...given) => told(host.connect(...given), away),
  }
}

/** The same of anything that asks a PM. */
export async function told<T>(asking: Promise<T>, away: () => void): Promise<T> {
  try {
    return await asking
  } catch (error) {
    if (isUnreachable(error)) away()
    throw error
  }
}

function isUnreachable(error: unknown): boolean {
  return toPengxError(error).code === 'unreachable'
}
