import type { Code } from '../../model/error.ts'
import type { Shape } from './shape.ts'

/** What the document answers to every change, and what every failure looks like. */
export interface Outcome {
  readonly result: 'success' | 'failure'
  readonly message: string
  readonly code?: Code | 'tooMany' | 'notAllowed'
}

const fields: Shape<Outcome>['fields'] = [
  { kind: 'text', name: 'result', help: 'success or failure', get: (outcome) => outcome.result },
  { kind: 'text', name: 'message', get: (outcome) => outcome.message },
]

export const successShape: Shape<Outcome> = { name: 'root', fields }

export const failureShape: Shape<Outcome> = {
  name: 'root',
  fields: [...fields, { kind: 'text', name: 'code', get: (outcome) => outcome.code }],
}
