import type { View } from '../../engine/store/view.ts'
import { PengxError } from '../../model/error.ts'
import type { Body } from '../body.ts'
import { NAMED, type NamedKind, sayUnknown } from '../named.ts'

/** A request's body: the document's elements, and which parameter of the operation each one is. */
export interface Form {
  /** The root in the document's example; what a caller writes there is not looked at. */
  readonly root: string
  readonly fields: readonly FormField[]
}

export interface FormField {
  readonly name: string
  /** The element that it stands in; absent: the root itself. */
  readonly within?: string
  /** The parameter of the operation that it gives. */
  readonly param: string
  readonly list?: true
  readonly required?: true | ((body: Body) => boolean)
  /** Not in the document. */
  readonly added?: true
  /** It names something, which has to be there. */
  readonly names?: NamedKind
  /** Another spelling as the one meant. */
  readonly read?: (text: string) => string
}

/** What a caller knows a field as: `disk.size` is the size in the disk. */
function saidName({ within, name }: FormField): string {
  return within === undefined ? name : `${within}.${name}`
}

/** Raw parameters from a body: what is not given is left out, what names nothing is refused by the field's name. */
export function readForm(form: Form, body: Body, view: View): Record<string, unknown> {
  const raw: Record<string, unknown> = {}
  for (const field of form.fields) {
    const place = field.within === undefined ? body : body.part(field.within)
    const value = field.list ? place.list(field.name) : readText(field, place, view)
    const isRequired = typeof field.required === 'function' ? field.required(body) : field.required === true
    if (value === undefined && isRequired) throw new PengxError('invalid', `${saidName(field)} is missing`)
    if (value !== undefined) raw[field.param] = value
  }
  return raw
}

function readText(field: FormField, body: Body, view: View): string | undefined {
  const given = body.text(field.name)
  if (given === undefined) return undefined
  if (field.names === undefined) return field.read ? field.read(given) : given
  const named = NAMED[field.names]
  const found = named.find(view, given)
  if (found === undefined) throw new PengxError('invalid', `${saidName(field)}: ${sayUnknown(named, given, view)}`)
  return found
}

/** What would help is said as a command line has it. */
function flagOf(param: string): string {
  return `--${param.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** An engine's complaint about a parameter, in the name that the caller knows it by. */
export function inCallersWords(form: Form | undefined, error: PengxError): PengxError {
  let { message } = error
  for (const field of form?.fields ?? []) {
    const { param } = field
    message = message.replaceAll(flagOf(param), saidName(field))
    if (param === saidName(field)) continue
    // A name of two words stands in no sentence by chance; one of one word is the parameter only where it is complained of.
    const spoken = /[A-Z]/.test(param) ? `\\b${param}\\b` : `(?<=^|: )${param}(?=:| is )`
    message = message.replace(new RegExp(spoken, 'g'), saidName(field))
  }
  return message === error.message ? error : new PengxError(error.code, message, { cause: error })
}
