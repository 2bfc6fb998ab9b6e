/** What a simulated QEMU is asked, and the disks that it has open. */
import { backendOf, isServed } from '../machine/guestConfig.ts'
import type { SimWorld } from '../machine/program.ts'
import type { Domain, PmState, SimDisk } from '../machine/state.ts'
import { ownName } from './nodes.ts'

export interface QmpCall {
  readonly world: SimWorld
  readonly pm: PmState
  readonly domain: Domain
  readonly args: Record<string, unknown>
}

export type QmpAnswer = (
  | { readonly return: unknown }
  | { readonly error: { readonly class: string; readonly desc: string } }
) & {
  /** Sent before the answer. */
  readonly events?: readonly { readonly event: string; readonly data?: unknown }[]
  /** QEMU ends after this answer, or instead of it. */
  readonly hangUp?: 'answered' | 'unanswered'
}

export type QmpCommand = (call: QmpCall) => QmpAnswer

export function qmpError(desc: string, kind = 'GenericError'): QmpAnswer {
  return { error: { class: kind, desc } }
}

/** As QEMU says that it has no such node, by how it was asked for it. */
export const noNode = (name: unknown) => `Cannot find device='' nor node-name='${String(name)}'`
export const noDevice = (name: unknown) => `Cannot find device='${String(name)}' nor node-name='${String(name)}'`

/** A disk as QEMU has it open. */
export interface OpenBlock {
  readonly disk: SimDisk
  readonly nodeName: string
  readonly qdev: string
  readonly path: string
}

export function openBlocks({ domain }: Pick<QmpCall, 'domain'>): OpenBlock[] {
  const first = domain.config.type === 'hvm' ? 26 : 2
  return domain.config.disks
    .filter((disk) => disk.path !== '' && backendOf(disk) === 'qdisk' && isServed(disk))
    .map((disk, index) => ({
      disk,
      nodeName: disk.nodeName ?? ownName(disk),
      qdev: `/machine/unattached/device[${first + index}]`,
      path: disk.livePath ?? disk.path,
    }))
}

export function findBlock(call: QmpCall, name: unknown): OpenBlock | undefined {
  return openBlocks(call).find((block) => block.nodeName === name || block.qdev === name)
}
