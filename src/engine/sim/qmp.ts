/** QEMU's monitor sockets on a simulated PM. */
import type { Duplex } from 'node:stream'
import { PengxError } from '../../model/error.ts'
import type { SimWorld } from './program.ts'
import type { PmState } from './state.ts'

export function connectQmp(_world: SimWorld, pm: PmState, path: string, _signal?: AbortSignal): Promise<Duplex> {
  throw new PengxError('notFound', `no socket ${path} on ${pm.name}`)
}
