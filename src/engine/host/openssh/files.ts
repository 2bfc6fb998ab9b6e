import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { PengxError } from '../../../model/error.ts'
import { expandPath, localUser, type Tokens } from './tokens.ts'
import { matchesPattern, parseSshConfig, type Statement } from './words.ts'

/** A configuration file, and from where its Includes count. */
export interface ConfigFile {
  readonly path: string
  readonly directory: string
}

/** What the client reads: the file that is named alone, else the person's own, then that of the machine. */
export function configFiles(configPath: string | undefined): readonly ConfigFile[] {
  const directory = join(localUser().home, '.ssh')
  if (configPath !== undefined) return [{ path: configPath, directory }]
  return [
    { path: join(directory, 'config'), directory },
    { path: '/etc/ssh/ssh_config', directory: '/etc/ssh' },
  ]
}

/** Includes go this deep, as with the client. */
const MOST_INCLUDES = 16

/** The statements of a file; one that cannot be read has none. */
export async function readStatements(file: ConfigFile, depth = 0): Promise<Statement[]> {
  if (depth > MOST_INCLUDES) throw new PengxError('invalid', `${file.path}: too many Includes within each other`)
  return parseSshConfig(await readFile(file.path, 'utf8').catch(() => ''), file.path)
}

/** The files that an Include names, in their order; `invalid` for a token that is not known. */
export async function includedFiles(statement: Statement, from: ConfigFile, tokens: Tokens): Promise<ConfigFile[]> {
  const found: ConfigFile[] = []
  for (const word of statement.words) {
    const path = expandPath('Include', word, tokens)
    const matches = await glob(path.startsWith('/') ? path : join(from.directory, path))
    found.push(...matches.map((match) => ({ path: match, directory: from.directory })))
  }
  return found
}

/** glob(3), without braces: sorted, and what begins with a dot is named with it. */
async function glob(pattern: string): Promise<string[]> {
  let found = ['/']
  for (const part of pattern.split('/').filter((each) => each !== '')) {
    const next = await Promise.all(
      found.map(async (directory) => {
        if (!/[*?[]/.test(part)) return [join(directory, part)]
        const names = await readdir(directory).catch(() => [])
        return names.filter((name) => matchesName(name, part)).map((name) => join(directory, name))
      }),
    )
    found = next.flat().sort()
  }
  const there = await Promise.all(
    found.map((path) =>
      stat(path).then(
        () => true,
        () => false,
      ),
    ),
  )
  return found.filter((_, index) => there[index])
}

function matchesName(name: string, pattern: string): boolean {
  if (name.startsWith('.') && !pattern.startsWith('.')) return false
  if (!pattern.includes('[')) return matchesPattern(name, pattern)
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replaceAll('[!', '[^')
  try {
    return new RegExp(`^${source}$`, 's').test(name)
  } catch {
    return name === pattern
  }
}

/**
 * Every value that some line of the files and of what they include gives to a keyword, whether it applies or not. A
 * file that is not understood gives none.
 */
export async function everyValue(files: readonly ConfigFile[], keyword: string, tokens: Tokens): Promise<string[][]> {
  const values: string[][] = []
  const visit = async (file: ConfigFile, depth: number): Promise<void> => {
    for (const statement of await readStatements(file, depth)) {
      if (statement.keyword === keyword) values.push([...statement.words])
      if (statement.keyword !== 'include') continue
      for (const included of await includedFiles(statement, file, tokens)) await visit(included, depth + 1)
    }
  }
  for (const file of files) await visit(file, 0).catch(() => undefined)
  return values
}
