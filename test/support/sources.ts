import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'

/** The project's sources as the architecture test sees them. Paths are relative to the repository. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly lineCount: number
  readonly imports: readonly Import[]
}

export interface Import {
  /** A path from the repository for our own files, a package's name for others. */
  readonly target: string
  readonly own: boolean
  /** Nothing of it is there when the program runs. */
  readonly typeOnly: boolean
}

const ROOT = join(import.meta.dir, '../..')
const transpilers = { ts: new Bun.Transpiler({ loader: 'ts' }), tsx: new Bun.Transpiler({ loader: 'tsx' }) }
const FROM =
  /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*'([^']+)'|(?:^|\n)\s*import\s*'([^']+)'|\bimport\(\s*'([^']+)'\s*\)/g

export function readSources(pattern = '{src,test,bench}/**/*.{ts,tsx}'): Source[] {
  return [...new Bun.Glob(pattern).scanSync({ cwd: ROOT })].sort().map((path) => readSource(path))
}

function readSource(path: string): Source {
  const text = readFileSync(join(ROOT, path), 'utf8')
  return { path, text, lineCount: text.split('\n').length - 1, imports: scan(path, text) }
}

/** What runs comes from the transpiler; what it drops but the text names is there for its types alone. */
export function scan(path: string, text: string): Import[] {
  const transpiler = path.endsWith('.tsx') ? transpilers.tsx : transpilers.ts
  const running = new Set(transpiler.scanImports(text).map((found) => found.path))
  const named = [...text.matchAll(FROM)].map((match) => (match[1] ?? match[2] ?? match[3])!)
  return [...new Set([...running, ...named])].map((specifier) => ({
    target: specifier.startsWith('.') ? normalize(join(dirname(path), specifier)) : packageName(specifier),
    own: specifier.startsWith('.'),
    typeOnly: !running.has(specifier),
  }))
}

/** An exported function, or a constant that is one, with the end of what is said before it. */
const EXPORTED = /(\*\/\n)?^export (?:(?:async )?function\*? (\w+)|const (\w+)[^\n]*? = (?:async )?(?:<[^\n]*>)?\()/gm

/** The exported functions of a file before which no docstring stands. */
export function undocumented({ path, text }: Pick<Source, 'path' | 'text'>): string[] {
  return [...text.matchAll(EXPORTED)]
    .filter(([, docstring]) => docstring === undefined)
    .map(([, , declared, constant]) => `${path}: ${declared ?? constant}`)
}

function packageName(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Every circle of imports, once; what is imported for its type alone counts too. */
export function findCycles(files: readonly Pick<Source, 'path' | 'imports'>[]): string[] {
  const next = new Map(
    files.map((file) => [file.path, file.imports.filter(({ own }) => own).map(({ target }) => target)]),
  )
  const done = new Set<string>()
  const cycles: string[] = []
  const visit = (path: string, trail: readonly string[]) => {
    const at = trail.indexOf(path)
    if (at >= 0) return void cycles.push([...trail.slice(at), path].join(' → '))
    if (done.has(path)) return
    for (const target of next.get(path) ?? []) visit(target, [...trail, path])
    done.add(path)
  }
  for (const file of files) visit(file.path, [])
  return cycles
}

/** Whether a path is that place or lies in it. */
export function isIn(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`)
}

export function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}
