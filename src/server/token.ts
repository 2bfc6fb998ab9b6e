import { link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { newSecret, newUuid } from '../lib/ids.ts'
import { PengxError } from '../model/error.ts'

const TOKEN_LENGTH = 40
const SHORTEST = 16

/**
 * The token that callers show, from its file; the first start makes one. The file appears whole or not at all, so
 * that of two servers starting at once both read the same token; a file that others can read is refused.
 */
export async function readOrCreateToken(path: string): Promise<string> {
  const there = await readToken(path)
  if (there !== undefined) return there
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  const draft = `${path}.${newUuid()}`
  try {
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(`${newSecret(TOKEN_LENGTH)}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await link(draft, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
    })
  } catch (error) {
    throw new PengxError('refused', `cannot write the token file ${path}: ${messageOf(error)}`, { cause: error })
  } finally {
    await rm(draft, { force: true })
  }
  const made = await readToken(path)
  if (made === undefined) throw new PengxError('refused', `the token file ${path} was removed as it was made`)
  return made
}

async function readToken(path: string): Promise<string | undefined> {
  let text: string
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) {
      const shown = (mode & 0o777).toString(8).padStart(4, '0')
      throw new PengxError('refused', `the token file ${path} can be read by others (mode ${shown}): chmod 600 ${path}`)
    }
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof PengxError) throw error
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new PengxError('refused', `cannot read the token file ${path}: ${messageOf(error)}`, { cause: error })
  }
  const token = text.trim()
  if (token.length < SHORTEST || /\s/.test(token)) {
    throw new PengxError(
      'refused',
      `the token file ${path} has no token: one word of ${SHORTEST} characters or more; remove the file to get a new one`,
    )
  }
  return token
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
