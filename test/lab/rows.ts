import { expect } from 'bun:test'
import { parseXml } from '../../src/lib/xml.ts'
import { findRow } from '../../src/server/match.ts'
import { ROWS } from '../../src/server/routes/routes.ts'
import type { Served } from './pengx.ts'

/** A client of the XML API that holds every answer to the row it asked for, and remembers which rows it has asked. */
export type RowsClient = {
  /** Asks a row, which must answer with its own status, in XML that is well-formed; gives the text. */
  readonly ask: (method: string, path: string, body?: string, headers?: Record<string, string>) => Promise<string>
  /** What is refused, and how. */
  readonly refuses: (method: string, path: string, body: string, why: RegExp) => Promise<void>
  /** `v1 GET /vms/:vm_uuid/`: rows that have answered as they should. */
  readonly answered: ReadonlySet<string>
}

export function rowsClient(served: () => Served): RowsClient {
  const answered = new Set<string>()
  return {
    answered,
    async ask(method, path, body, headers = {}) {
      const answer = await fetch(`${served().origin}${path}`, {
        method,
        headers: { ...(body === undefined ? {} : { 'Content-Type': 'application/xml' }), ...headers },
        ...(body === undefined ? {} : { body }),
        signal: AbortSignal.timeout(590_000),
      })
      const text = await answer.text()
      const [, version, rest] = /^\/(v\d)(\/.*)$/.exec(path)!
      const found = findRow(ROWS, method, rest!)
      if (found.kind !== 'row') throw new Error(`no row is ${method} ${path}`)
      const status = headers.Prefer === 'respond-async' ? 202 : found.row.status
      expect({ method, path, status: answer.status, text }).toEqual({ method, path, status, text: expect.any(String) })
      if (answer.headers.get('Content-Type')?.includes('xml'))
        expect({ text, ...parseXml(text, 10) }).toMatchObject({ ok: true })
      answered.add(`${version} ${method} ${found.row.path}`)
      return text
    },
    async refuses(method, path, body, why) {
      const headers = { 'Content-Type': 'application/xml' }
      const answer = await fetch(`${served().origin}${path}`, { method, body, headers })
      expect({ status: answer.status, text: await answer.text() }).toEqual({
        status: 400,
        text: expect.stringMatching(why),
      })
    },
  }
}

export const field = (text: string, name: string): string =>
  new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? ''
/** The id of the one of a list that has the name. */
export const idOf = (text: string, what: string, name: string): string =>
  new RegExp(
    `<${what} id="([^"]+)">\\s*(?:<pm>[^<]*</pm>\\s*)?(?:<pm_name>[^<]*</pm_name>\\s*)?<name>${name}</name>`,
  ).exec(text)?.[1] ?? ''
export const count = (text: string, what: string): number => text.split(`<${what} id=`).length - 1
