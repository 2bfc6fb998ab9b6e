import type { View } from '../engine/store/view.ts'
import { isUuid } from '../lib/ids.ts'

/** Things of the site that a request names, in its path or its body: how each is looked for, and what there is. */
export interface Named {
  readonly what: string
  /** Its id as the inventory writes it; a malformed one names nothing. */
  find(view: View, text: string): string | undefined
  /** Those that there are, by what a request calls them. */
  all(view: View): readonly { readonly id: string; readonly name: string }[]
  /** The row that shows them. */
  readonly listed: string
  /** What would help where there is none at all. */
  readonly makes: string
}

export type NamedKind = 'pm' | 'vm' | 'template' | 'storlink'

const byUuid = (rows: readonly { readonly uuid: string; readonly name: string }[]) =>
  rows.map(({ uuid, name }) => ({ id: uuid, name }))

export const NAMED: Readonly<Record<NamedKind, Named>> = {
  pm: {
    what: 'PM',
    find: (view, text) => uuidOf(text, (uuid) => view.getPm(uuid)?.uuid),
    all: (view) => byUuid(view.pms()),
    listed: '/pms/all/',
    makes: '`pengx run pm.add` adds one',
  },
  vm: {
    what: 'VM',
    find: (view, text) => uuidOf(text, (uuid) => view.getVm(uuid)?.uuid),
    all: (view) => byUuid(view.vms()),
    listed: '/vms/',
    makes: 'POST /vms/ makes one',
  },
  template: {
    what: 'template',
    find: (view, text) => uuidOf(text, (uuid) => view.getTemplate(uuid)?.uuid),
    all: (view) => byUuid(view.templates()),
    listed: '/templates/',
    makes: 'POST /templates/add/ makes one',
  },
  storlink: {
    what: 'storlink',
    find: (view, text) => (/^\d{1,9}$/.test(text) ? view.getStorlink(Number(text))?.id.toString() : undefined),
    all: (view) => view.storlinks().map(({ id, name }) => ({ id: String(id), name })),
    listed: '/storlinks/',
    makes: 'POST /storlinks/create/ makes one',
  },
}

/** A well-formed UUID, looked for as the inventory writes it. */
export function uuidOf(text: string, find: (uuid: string) => string | undefined): string | undefined {
  return isUuid(text) ? find(text.toLowerCase()) : undefined
}

/** So many are named to who has named none of them. */
const TOLD = 4
const LONGEST = 100

/** That a thing is not known, and which ones are: a sentence without an end. */
export function sayUnknown(named: Named, text: string, view: View): string {
  const missing = `there is no ${named.what} ${text.slice(0, LONGEST)}`
  const all = named.all(view)
  if (all.length === 0) return `${missing}, and no other: ${named.makes}`
  const told = all
    .slice(0, TOLD)
    .map(({ id, name }) => `${id} (${name})`)
    .join(', ')
  const others = all.length - TOLD
  return others > 0
    ? `${missing}; there are ${told} and ${others} more: GET ${named.listed} lists them`
    : `${missing}; there ${all.length === 1 ? 'is' : 'are'} ${told}`
}

/** The same of an id in a path, where the row that shows what there is says more. */
export function sayUnknownInPath(what: string, text: string, listed: string): string {
  return `there is no ${what} ${text.slice(0, LONGEST)}; GET ${listed} lists those that there are`
}
