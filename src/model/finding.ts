import type { Json } from './json.ts'
import type { Noun } from './noun.ts'

/** What a comparison of the whole site has found (`Engine.verify`). */

/** `danger`: bytes are lost, or will be, if nothing is done. `wrong`: something will be refused or fail. `note`: worth knowing. */
type Severity = 'danger' | 'wrong' | 'note'

/** One kind of drift: what it means and what to do, for whoever meets it. */
export interface FindingCode {
  readonly code: string
  readonly severity: Severity
  /** What is so, in a sentence. */
  readonly means: string
  /** What a person does about it. */
  readonly help: string
  /** The operation that a finding of this code may be repaired by; absent: none is safe to offer. */
  readonly repair?: string
}

export interface FindingSubject {
  readonly kind: Noun | 'job' | 'site'
  readonly id: string
  readonly name: string
}

/** An operation of the catalog with its parameters: run like any other, with its plan and its journal. */
export interface Repair {
  readonly operation: string
  readonly params: Readonly<Record<string, Json>>
}

/** One place where store, headers, configurations and Xen differ. */
export interface Finding {
  readonly code: string
  readonly severity: Severity
  readonly subject: FindingSubject
  /** Where it was seen, by UUID; absent: on no PM. */
  readonly pm?: string
  /** The file, device or configuration. */
  readonly path?: string
  /** What it is this time, in a sentence. */
  readonly text: string
  readonly repair?: Repair
}

/** A file or logical volume of a storlink, and why it stays or may go. */
export interface StoredVolume {
  readonly storlink: number
  readonly path: string
  readonly kind: 'file' | 'directory' | 'link' | 'volume' | 'other'
  readonly bytes: number
  readonly removable: boolean
  /** `unknown`: it has the name of a volume of pengx's, and nobody here knows it. */
  readonly of: 'known' | 'used' | 'busy' | 'foreign' | 'unknown' | 'leftover'
  readonly reason: string
}

export interface VerifyReport {
  readonly at: number
  readonly findings: readonly Finding[]
  /** The codes that the findings have, in the order of the table. */
  readonly codes: readonly FindingCode[]
  /** Everything that lies in the storlinks that could be looked at. */
  readonly volumes: readonly StoredVolume[]
  /** How much was compared: a clean report says over what. */
  readonly counts: { readonly pms: number; readonly vms: number; readonly volumes: number; readonly images: number }
}
