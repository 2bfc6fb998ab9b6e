import type { Engine } from '../engine/engine.ts'
import { nearest } from '../lib/near.ts'
import { stripControl } from '../lib/text.ts'
import { PengxError } from '../model/error.ts'
import type { Noun } from '../model/noun.ts'

interface Candidate {
  readonly id: string
  readonly name: string
  /** What it may be called where its name alone is another's too. */
  readonly longName?: string
  /** What tells it from another of its name. */
  readonly where: string
}

/** Shorter beginnings of a UUID are too easily the beginning of another one tomorrow. */
const SHORTEST_PREFIX = 8

/**
 * What a person calls a thing, as its id: its name, its UUID, or the first eight or more digits of that. A name that
 * several carry is refused with the candidates; it is never guessed.
 */
export function resolveTarget(engine: Engine, kind: Noun, word: string): string {
  const all = candidates(engine, kind)
  const found = [
    all.filter((candidate) => candidate.id === word.toLowerCase()),
    all.filter((candidate) => candidate.longName === word),
    all.filter((candidate) => candidate.name === word),
    all.filter((candidate) => word.length >= SHORTEST_PREFIX && candidate.id.startsWith(word.toLowerCase())),
  ].find((matches) => matches.length > 0)
  if (found === undefined) throw notFound(kind, word, all)
  if (found.length > 1) throw ambiguous(kind, word, found)
  return found[0]!.id
}

function candidates(engine: Engine, kind: Noun): Candidate[] {
  const { view } = engine
  if (kind === 'pm') return view.pms().map((pm) => ({ id: pm.uuid, name: pm.name, where: pm.destination }))
  if (kind === 'vm') {
    return view.vms().map((vm) => ({ id: vm.uuid, name: vm.name, where: `on ${view.getPm(vm.pm)?.name ?? vm.pm}` }))
  }
  if (kind === 'template') {
    return view
      .templates()
      .map((one) => ({ id: one.uuid, name: one.name, where: `on ${view.getPm(one.pm)?.name ?? one.pm}` }))
  }
  if (kind === 'backup') {
    return view.backups().map(({ uuid, name, vmName }) => ({
      id: uuid,
      name,
      longName: `${vmName}/${name}`,
      where: `of ${vmName}`,
    }))
  }
  if (kind === 'schedule')
    return view.schedules().map(({ uuid, vmName, cron }) => ({ id: uuid, name: vmName, where: cron }))
  return view.storlinks().map((link) => ({
    id: String(link.id),
    name: link.name,
    where: `${link.link} on ${view.getPm(link.pm)?.name ?? link.pm}`,
  }))
}

function notFound(kind: string, word: string, all: readonly Candidate[]): PengxError {
  const near = nearest(
    word,
    all.map((candidate) => candidate.name),
  )
  const help = near ? `did you mean ${stripControl(near)}?` : `\`pengx ${kind}s\` lists them`
  return new PengxError('notFound', `no ${kind} is named "${word}"; ${help}`)
}

function ambiguous(kind: string, word: string, found: readonly Candidate[]): PengxError {
  const lines = found.map(({ id, name, where }) => `\n  ${id}  ${stripControl(name)} ${stripControl(where)}`)
  return new PengxError('refused', `"${word}" names ${found.length} ${kind}s; say which by its id:${lines.join('')}`)
}
