import type { Engine } from '../engine/engine.ts'
import { nearest } from '../lib/near.ts'
import { stripControl } from '../lib/text.ts'
import { PengxError } from '../model/error.ts'
import type { Noun } from '../model/noun.ts'

type View = Engine['view']

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
  return pick(kind, word, candidates(engine.view, kind))
}

/** What each thing of a kind can be called so that it alone is meant, the shortest: its name, a longer one, or its id. */
export function callableNames(view: View, kind: Noun): readonly string[] {
  const all = candidates(view, kind)
  const count = new Map<string, number>()
  for (const { name, longName } of all)
    for (const word of new Set([name, longName ?? name])) count.set(word, (count.get(word) ?? 0) + 1)
  return all.map(({ id, name, longName }) => [name, longName ?? name].find((word) => count.get(word) === 1) ?? id)
}

/** Names of VMs that backups can be asked of: those that are there, and those that only backups are left of. */
export function backedUpNames(view: View): readonly string[] {
  return [...new Set(backedUp(view).map(({ name }) => name))]
}

/**
 * The VM whose backups are meant, as its id: one that is there, or by the name that its backups have of it, which may be
 * gone or be called something else by now. Fails as `resolveTarget` does.
 */
export function resolveBackedUp({ view }: Engine, word: string): string {
  return pick('vm', word, backedUp(view))
}

function backedUp(view: View): readonly Candidate[] {
  const there = view.vms().map((vm) => ({ id: vm.uuid, name: vm.name, where: `on ${pmNameOf(view, vm.pm)}` }))
  const taken = new Set(there.map(({ name }) => name))
  const then = new Map<string, Candidate>()
  for (const { vm: id, vmName: name } of view.backups()) {
    const now = view.getVm(id)
    // A name that a VM has now is not that of another one which had it once.
    if (now === undefined || !taken.has(name))
      then.set(`${id} ${name}`, { id, name, where: now ? `is ${now.name} now` : 'is gone' })
  }
  return [...there, ...then.values()]
}

function pick(kind: Noun, word: string, all: readonly Candidate[]): string {
  const found = [
    all.filter((candidate) => candidate.id === word.toLowerCase()),
    all.filter((candidate) => candidate.longName === word),
    all.filter((candidate) => candidate.name === word),
    all.filter((candidate) => word.length >= SHORTEST_PREFIX && candidate.id.startsWith(word.toLowerCase())),
  ].find((matches) => matches.length > 0)
  if (found === undefined) throw notFound(kind, word, all)
  // One that is called two names is still one.
  const meant = found.filter(({ id }, index) => found.findIndex((other) => other.id === id) === index)
  if (meant.length > 1) throw ambiguous(kind, word, meant)
  return meant[0]!.id
}

function candidates(view: View, kind: Noun): Candidate[] {
  if (kind === 'pm') return view.pms().map((pm) => ({ id: pm.uuid, name: pm.name, where: pm.destination }))
  if (kind === 'vm') {
    return view.vms().map((vm) => ({ id: vm.uuid, name: vm.name, where: `on ${pmNameOf(view, vm.pm)}` }))
  }
  if (kind === 'template') {
    return view.templates().map((one) => ({ id: one.uuid, name: one.name, where: `on ${pmNameOf(view, one.pm)}` }))
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
    where: `${link.link} on ${pmNameOf(view, link.pm)}`,
  }))
}

const pmNameOf = (view: View, pm: string) => view.getPm(pm)?.name ?? pm

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
