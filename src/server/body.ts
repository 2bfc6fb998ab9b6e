import { hasForbidden, parseXml, type XmlElement } from '../lib/xml.ts'
import { PengxError } from '../model/error.ts'

/**
 * A request's body as named values, whether it came as XML or as JSON. Everything is text here; what it is a
 * number or a flag of, the operation's own schema says.
 */
export interface Body {
  /** One value, trimmed; an empty one is not given. */
  text(name: string): string | undefined
  list(name: string): readonly string[] | undefined
  /** Values that stand together under a name; nothing is given in one that is not there. */
  part(name: string): Body
}

const MAX_BODY_BYTES = 1024 * 1024
const MAX_DEPTH = 32

export type BodyResult =
  | { readonly ok: true; readonly body: Body }
  | { readonly ok: false; readonly status: 400 | 413 | 415; readonly problem: string }

const EMPTY: Body = { text: () => undefined, list: () => undefined, part: () => EMPTY }

/** Reads and parses a body, however it is sent; nothing beyond the limit is kept. */
export async function readBody(request: Request): Promise<BodyResult> {
  const bytes = await readBytes(request)
  if (bytes === undefined) return refuse(413, `a body has at most ${MAX_BODY_BYTES} bytes`)
  if (bytes.length === 0) return { ok: true, body: EMPTY }
  const text = decodeUtf8(bytes)
  const kind = kindOf(request.headers.get('content-type'), text)
  if (kind === undefined) return refuse(415, 'a body is application/xml or application/json, in UTF-8')
  if (text === undefined) return refuse(400, 'the body is not UTF-8')
  if (text.trim() === '') return { ok: true, body: EMPTY }
  return kind === 'xml' ? fromXml(text) : fromJson(text)
}

function refuse(status: 400 | 413 | 415, problem: string): BodyResult {
  return { ok: false, status, problem }
}

async function readBytes(request: Request): Promise<Uint8Array | undefined> {
  if (Number(request.headers.get('content-length') ?? 0) > MAX_BODY_BYTES) return undefined
  if (!request.body) return new Uint8Array()
  const parts: Uint8Array[] = []
  let size = 0
  for await (const part of request.body) {
    size += part.length
    if (size > MAX_BODY_BYTES) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** What a body is: as its type says, or, with none, XML if it looks like it. A form of a browser's page is neither. */
function kindOf(contentType: string | null, text: string | undefined): 'xml' | 'json' | undefined {
  if (contentType === null) return text?.trimStart().startsWith('<') ? 'xml' : undefined
  const [type, ...rest] = contentType
    .toLowerCase()
    .split(';')
    .map((word) => word.trim())
  const charset = rest
    .find((word) => word.startsWith('charset='))
    ?.slice(8)
    .replaceAll('"', '')
  if (charset !== undefined && charset !== 'utf-8' && charset !== 'utf8' && charset !== 'us-ascii') return undefined
  if (type === 'application/xml' || type === 'text/xml') return 'xml'
  return type === 'application/json' ? 'json' : undefined
}

function fromXml(text: string): BodyResult {
  const parsed = parseXml(text, MAX_DEPTH)
  if (!parsed.ok) return refuse(400, `the body is not XML that is read here: ${parsed.problem}`)
  return { ok: true, body: xmlBody(parsed.root) }
}

function xmlBody(root: XmlElement): Body {
  const find = (name: string): XmlElement | undefined => {
    const found = root.children.filter((child) => child.name === name)
    if (found.length > 1) throw new PengxError('invalid', `${name} is given twice`)
    return found[0]
  }
  const textOf = (element: XmlElement, name: string): string => {
    if (element.children.length > 0) throw new PengxError('invalid', `${name}: text is expected, not elements`)
    return element.text.trim()
  }
  return {
    text(name) {
      const element = find(name)
      return element ? textOf(element, name) || undefined : undefined
    },
    list(name) {
      const element = find(name)
      if (!element) return undefined
      if (element.text.trim() !== '') throw new PengxError('invalid', `${name}: its values are list-item elements`)
      const items = element.children.filter((child) => child.name === 'list-item')
      return items.map((item) => textOf(item, name)).filter((text) => text !== '')
    },
    part(name) {
      const element = find(name)
      if (element && element.text.trim() !== '') throw new PengxError('invalid', `${name}: elements are expected in it`)
      return element ? xmlBody(element) : EMPTY
    },
  }
}

function fromJson(text: string): BodyResult {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return refuse(400, 'the body is not JSON')
  }
  if (isDeeper(value, MAX_DEPTH)) return refuse(400, 'the body is nested too deep')
  if (!isRecord(value)) return refuse(400, 'the body is a JSON object of named values')
  return { ok: true, body: jsonBody(unwrap(value)) }
}

/** Bare, or under a root's name, as answers are. */
function unwrap(value: Record<string, unknown>): Record<string, unknown> {
  const [only, ...others] = Object.values(value)
  return others.length === 0 && isRecord(only) ? only : value
}

function jsonBody(given: Record<string, unknown>): Body {
  const textOf = (value: unknown, name: string): string => {
    if (typeof value === 'object') throw new PengxError('invalid', `${name}: one value is expected`)
    const text = String(value).trim()
    if (hasForbidden(text)) throw new PengxError('invalid', `${name}: it holds a control character`)
    return text
  }
  return {
    text(name) {
      const value = Object.hasOwn(given, name) ? given[name] : undefined
      return value === undefined || value === null ? undefined : textOf(value, name) || undefined
    },
    list(name) {
      const value = Object.hasOwn(given, name) ? given[name] : undefined
      if (value === undefined || value === null) return undefined
      if (!Array.isArray(value)) throw new PengxError('invalid', `${name}: an array is expected`)
      return value.map((item) => textOf(item ?? '', name)).filter((text) => text !== '')
    },
    part(name) {
      const value = Object.hasOwn(given, name) ? given[name] : undefined
      if (value === undefined || value === null || value === '') return EMPTY
      if (!isRecord(value)) throw new PengxError('invalid', `${name}: an object is expected`)
      return jsonBody(value)
    },
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isDeeper(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((inner) => isDeeper(inner, depth - 1))
}
