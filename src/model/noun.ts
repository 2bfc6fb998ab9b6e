import type { Backup, Schedule } from './backup.ts'
import { PengxError } from './error.ts'
import type { Pm } from './pm.ts'
import type { Storlink } from './storlink.ts'
import type { Template } from './template.ts'
import type { Vm } from './vm.ts'

/**
 * What a site consists of. By these words the store's tables, change notices, the subjects of jobs and the targets of
 * operations name a thing; a new one begins with a line here and in `WORDS`.
 */
export interface Nouns {
  pm: Pm
  vm: Vm
  storlink: Storlink
  template: Template
  backup: Backup
  schedule: Schedule
}

export type Noun = keyof Nouns

/** As people read them; in the order of what refers to what. */
const WORDS: Readonly<Record<Noun, string>> = {
  pm: 'PM',
  storlink: 'storlink',
  template: 'template',
  vm: 'VM',
  backup: 'backup',
  schedule: 'schedule',
}

export const NOUNS = Object.keys(WORDS) as readonly Noun[]

export function isNoun(word: string | undefined): word is Noun {
  return word !== undefined && Object.hasOwn(WORDS, word)
}

/** The id of any of them, as text. */
export function nounId(thing: Nouns[Noun]): string {
  return 'id' in thing ? String(thing.id) : thing.uuid
}

/** What people call it; a schedule is called after its VM. */
export function nounName(thing: Nouns[Noun]): string {
  return 'name' in thing ? thing.name : thing.vmName
}

/** A storlink has a number, what else there is a UUID. */
export type IdOf<N extends Noun> = Nouns[N] extends { readonly id: infer Id } ? Id : string

/** For each noun: `vms()`, `getVm(uuid)`, and `needVm(uuid)`, which fails with `notFound`. */
export type NounLists = { readonly [N in Noun as `${N}s`]: () => readonly Nouns[N][] } & {
  readonly [N in Noun as `get${Capitalize<N>}`]: (id: IdOf<N>) => Nouns[N] | undefined
} & {
  readonly [N in Noun as `need${Capitalize<N>}`]: (id: IdOf<N>) => Nouns[N]
} & {
  /** By the word for it, where that is known only as the program runs; the id as text. */
  readonly find: <N extends Noun>(noun: N, id: string) => Nouns[N] | undefined
}

/** The lists and look-ups of all nouns, over where they are held. */
export function nounLists(held: {
  list<N extends Noun>(noun: N): readonly Nouns[N][]
  find<N extends Noun>(noun: N, id: string): Nouns[N] | undefined
}): NounLists {
  const lists: Record<string, unknown> = { find: held.find }
  for (const noun of NOUNS) {
    const name = capitalNoun(noun)
    const get = (id: string | number) => held.find(noun, String(id))
    lists[`${noun}s`] = () => held.list(noun)
    lists[`get${name}`] = get
    lists[`need${name}`] = (id: string | number) => get(id) ?? unknown(WORDS[noun], id)
  }
  return lists as NounLists
}

/** As names of functions end in it: `getVm`. */
export function capitalNoun<N extends Noun>(noun: N): Capitalize<N> {
  return (noun.charAt(0).toUpperCase() + noun.slice(1)) as Capitalize<N>
}

/** Fails with `notFound`. */
export function unknown(what: string, id: string | number): never {
  throw new PengxError('notFound', `no ${what} ${id} is known`)
}
