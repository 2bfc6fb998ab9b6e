import type { Engine } from '../engine/engine.ts'
import { formatAge, formatDate } from '../lib/age.ts'
import { type Backup, isCheckOld } from '../model/backup.ts'
import type { Job, JobState, Subject } from '../model/job.ts'
import type { Pm } from '../model/pm.ts'
import type { Storlink } from '../model/storlink.ts'
import type { Vm, VmState } from '../model/vm.ts'
import { type WrongVolume, wrongVolumeText } from '../model/wrongVolume.ts'
import { type Span, span } from '../ui/line.ts'
import type { Tone } from '../ui/theme.ts'

/** States as people read them: a glyph and a word, colour third. */

export interface Sign {
  readonly glyph: string
  readonly word: string
  readonly tone: Tone
}

const VM_SIGNS: Record<VmState, Sign> = {
  running: { glyph: '●', word: 'running', tone: 'ok' },
  paused: { glyph: '‖', word: 'paused', tone: 'warn' },
  shutdown: { glyph: '○', word: 'shut down', tone: 'dim' },
  crashed: { glyph: '✗', word: 'crashed', tone: 'bad' },
  broken: { glyph: '✗', word: 'broken', tone: 'bad' },
  dying: { glyph: '✗', word: 'dying', tone: 'warn' },
  starting: { glyph: '▶', word: 'starting', tone: 'busy' },
  unknown: { glyph: '?', word: 'unknown', tone: 'dim' },
}

const JOB_SIGNS: Record<JobState, Sign> = {
  queued: { glyph: '·', word: 'queued', tone: 'dim' },
  running: { glyph: '▶', word: 'running', tone: 'busy' },
  undoing: { glyph: '↩', word: 'undoing', tone: 'warn' },
  done: { glyph: '✓', word: 'done', tone: 'ok' },
  undone: { glyph: '↩', word: 'undone', tone: 'bad' },
  cancelled: { glyph: '⊘', word: 'cancelled', tone: 'dim' },
  stuck: { glyph: '✗', word: 'stuck', tone: 'bad' },
  kept: { glyph: '⊘', word: 'kept as is', tone: 'dim' },
}

/** From this share of its memory or space on, a PM or a storlink is said to be full. */
export const FULL = 0.9

export function signSpan({ glyph, word, tone }: Sign): Span {
  return span(`${glyph} ${word}`, tone)
}

export function vmSign(vm: Vm): Sign {
  return VM_SIGNS[vm.seen.state]
}

export function jobSign(job: Job): Sign {
  return JOB_SIGNS[job.state]
}

/** `good`: it and all that it lies on were read back. */
export function backupSign(backup: Backup, good: boolean, now: number): Sign {
  if (backup.state === 'failed') return { glyph: '✗', word: 'broken', tone: 'bad' }
  if (backup.state === 'unverified') return { glyph: '?', word: 'unchecked', tone: 'warn' }
  if (!good) return { glyph: '✗', word: 'base broken', tone: 'bad' }
  if (backup.drillProblem !== undefined) return { glyph: '▲', word: 'boot failed', tone: 'warn' }
  if (isCheckOld(backup, now)) return { glyph: '▲', word: 'old check', tone: 'warn' }
  return { glyph: '✓', word: 'verified', tone: 'ok' }
}

/** Since when it has been written to, as far as is known, is since the guest was built. */
export function wrongVolumeLine(vm: Vm, wrong: WrongVolume): string {
  return wrongVolumeText(wrong, formatDate(vm.bootedAt ?? wrong.since))
}

/** What stands under STATUS: the job at work on it, else the state that was seen. */
export function vmStatus(vm: Vm, job: Job | undefined, engine: Engine): Span {
  if (job === undefined) return signSpan(vmSign(vm))
  return span(jobStatus(job, engine), jobSign(job).tone)
}

export function jobStatus(job: Job, engine: Engine): string {
  const title = engine.operations.get(job.operation)?.title ?? job.operation
  const share = job.state === 'running' && job.progress > 0 ? ` ${percent(job.progress)}` : ''
  return `${jobSign(job).glyph} ${job.state === 'running' ? title : job.state}${share}`
}

export function pmStatus(pm: Pm): Span {
  const { reach } = pm.seen
  if (reach === 'down') return span('✗ unreachable', 'bad')
  if (reach === 'unknown') return span('? not seen yet', 'dim')
  const used = memoryShare(pm)
  if (used !== undefined && used >= FULL) return span(`▲ memory ${percent(used)}`, 'warn')
  return span('● up', 'ok')
}

export function memoryShare(pm: Pm): number | undefined {
  if (pm.seen.freeMib === undefined || pm.memoryMib === 0) return undefined
  return (pm.memoryMib - pm.seen.freeMib) / pm.memoryMib
}

/** Of a storlink's space, where its size is known. */
export function usedShare({ sizeMib, freeMib }: Storlink): number | undefined {
  return sizeMib > 0 ? 1 - freeMib / sizeMib : undefined
}

export function shareTone(share: number): Tone {
  if (share >= FULL) return 'warn'
  return 'plain'
}

export function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

/** How long something at this pace still takes, where that can be said. */
export function timeLeft(job: Job, now: number): string {
  if (job.state !== 'running' || job.startedAt === undefined || job.progress < 0.05) return ''
  const elapsed = now - job.startedAt
  if (elapsed < 2000) return ''
  return formatAge((elapsed * (1 - job.progress)) / job.progress)
}

/** `ssh:root@10.0.0.11:22` as `10.0.0.11 (ssh, root)`. */
export function destinationText(destination: string): string {
  const match = /^(\w+):(?:([^@]+)@)?(.+)$/.exec(destination)
  if (!match) return destination
  const [, way, user, address] = match
  return `${address} (${user ? `${way}, ${user}` : way})`
}

/** What a thing is called in a sentence. */
export function kindWord(kind: Subject['kind']): string {
  return kind === 'vm' || kind === 'pm' ? kind.toUpperCase() : kind
}

export function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** `1 VM`, `3 VMs` */
export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`
}
