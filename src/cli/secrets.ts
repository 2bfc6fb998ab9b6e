import { readFile } from 'node:fs/promises'
import { PengxError } from '../model/error.ts'
import { kebab } from './flags.ts'
import type { Io } from './io.ts'

/** Reads secrets from where they lie: a file, standard input, or a terminal without showing what is typed. */
export async function readSecrets(
  secrets: readonly { readonly name: string; readonly from: string }[],
  io: Io,
): Promise<Record<string, string>> {
  const values: Record<string, string> = {}
  if (secrets.filter((secret) => secret.from === '-').length > 1) {
    throw new PengxError('invalid', 'only one secret can come from standard input: give the others as @FILE')
  }
  for (const { name, from } of secrets) {
    const text = from === '-' ? await fromInput(name, io) : await fromFile(name, from)
    values[name] = text.replace(/\r?\n$/, '')
    if (values[name] === '') throw new PengxError('invalid', `--${kebab(name)}: the secret is empty`)
  }
  return values
}

async function fromInput(name: string, io: Io): Promise<string> {
  if (!io.interactive) return await io.readInput()
  const typed = await io.ask(`${name}: `, { hidden: true })
  if (typed === undefined) throw new PengxError('refused', 'no secret was given: nothing was done')
  return typed
}

async function fromFile(name: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new PengxError('invalid', `--${kebab(name)}: ${path} cannot be read: ${reason}`, { cause: error })
  }
}
