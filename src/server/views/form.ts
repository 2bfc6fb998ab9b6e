import type { View } from '../../engine/store/view.ts'
import { isUuid } from '../../lib/ids.ts'
import { PengxError } from '../../model/error.ts'
import type { Body } from '../body.ts'

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
  readonly names?: 'storlink' | 'pm' | 'template'
  /** Another spelling as the one meant. */
  readonly read?: (text: string) => string
}

const IS_THERE: Record<NonNullable<FormField['names']>, (text: string, view: View) => boolean> = {
  storlink: (text, view) => /^\d{1,9}$/.test(text) && view.getStorlink(Number(text)) !== undefined,
  pm: (text, view) => isUuid(text) && view.getPm(text.toLowerCase()) !== undefined,
  template: (text, view) => isUuid(text) && view.getTemplate(text.toLowerCase()) !== undefined,
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
  if (field.names !== undefined && !IS_THERE[field.names](given, view)) {
    throw new PengxError('invalid', `${saidName(field)}: there is no ${field.names} ${given.slice(0, 100)}`)
  }
  const text = field.names === 'pm' || field.names === 'template' ? given.toLowerCase() : given
  return field.read ? field.read(text) : text
}

/** An engine's complaint about a parameter, in the name that the caller knows it by. */
export function inCallersWords(form: Form | undefined, error: PengxError): PengxError {
  let { message } = error
  for (const field of form?.fields ?? []) {
    const { param } = field
    if (param === saidName(field)) continue
    // A name of two words stands in no sentence by chance; one of one word is the parameter only where it is complained of.
    const spoken = /[A-Z]/.test(param) ? `\\b${param}\\b` : `(?<=^|: )${param}(?=:| is )`
    message = message.replace(new RegExp(spoken, 'g'), saidName(field))
  }
  return message === error.message ? error : new PengxError(error.code, message, { cause: error })
}
