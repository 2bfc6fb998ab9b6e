import { changes, type Program, reads } from './program.ts'

/** XenStore from dom0: xenstore-ls(1). */

/** Every node under a path as `PATH = "VALUE"` lines, whole (`-f`). */
export function listStore(path: string): Program {
  return reads('xenstore-ls', '-f', path)
}

/** Exit 0: the node is there, 1: it is not. */
export function storeHas(path: string): Program {
  return { ...reads('xenstore-exists', path), okExits: [0, 1] }
}

/** One node's value; 1: it is not there. */
export function readStore(path: string): Program {
  return { ...reads('xenstore-read', path), okExits: [0, 1] }
}

/**
 * Values by path; of nodes of these names alone, where some are given: the tree of many domains is long. Values come as
 * xenstore-ls escapes them: `\n`, `\x07`, `\\`, `\"`.
 */
export function parseStoreList(stdout: string, names?: readonly string[]): Map<string, string> {
  const path = names ? `\\S*/(?:${names.join('|')})` : '\\S+'
  const lines = stdout.matchAll(new RegExp(`^(${path}) = "(.*)"$`, 'gm'))
  return new Map(lines.map(([, at, value]) => [at!, unescapeValue(value!)]))
}

const NAMED: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '\\': '\\', '"': '"' }

function unescapeValue(text: string): string {
  if (!text.includes('\\')) return text
  return text.replace(/\\(x[0-9a-f]{2}|[0-7]{1,3}|.)/g, (whole, code: string) => {
    if (code.length === 3 && code.startsWith('x')) return String.fromCharCode(Number.parseInt(code.slice(1), 16))
    if (/^[0-7]+$/.test(code)) return String.fromCharCode(Number.parseInt(code, 8))
    return NAMED[code] ?? whole
  })
}

/** Several nodes in one go. */
export function writeStore(values: Readonly<Record<string, string>>): Program {
  return changes('xenstore-write', ...Object.entries(values).flat())
}
