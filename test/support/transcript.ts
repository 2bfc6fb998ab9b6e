import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Output } from '../../src/engine/host/host.ts'

/** What a real program printed: `test/transcripts/NAME.txt` holds one or more commands with their outputs. */
export interface Transcript extends Output {
  readonly command: string
}

const FOLDER = join(import.meta.dir, '../transcripts')

/** A transcript as it lies there. */
export function transcriptText(name: string): string {
  return readFileSync(join(FOLDER, `${name}.txt`), 'utf8')
}

/** The versions of a program of whose subject there is a transcript: `4.17` of `xl-4.17-list`. */
export function versionsWith(program: string, subject: string): string[] {
  return readdirSync(FOLDER)
    .map((file) => /^([a-z]+)-(\d+\.\d+)-(.*)\.txt$/.exec(file))
    .filter((found) => found?.[1] === program && found[3] === subject)
    .map((found) => found![2]!)
    .sort()
}

export function transcripts(name: string): Transcript[] {
  return transcriptText(name)
    .replace(/^#{8}\n/, '')
    .split(/^#{8}\n/m)
    .map((part) => {
      const found = /^\$ (.*)\n--- exit (\d+).*\n--- stdout\n([\s\S]*?)--- stderr\n([\s\S]*)$/.exec(part)
      if (!found) throw new Error(`${name}: no transcript: ${part.slice(0, 80)}`)
      return { command: found[1]!, exit: Number(found[2]), stdout: found[3]!, stderr: found[4]! }
    })
}

export function transcript(name: string, index = 0): Transcript {
  const found = transcripts(name)[index]
  if (!found) throw new Error(`${name} has no transcript ${index}`)
  return found
}
