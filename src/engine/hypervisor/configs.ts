import { turns } from '../../lib/turns.ts'
import { PengxError } from '../../model/error.ts'
import { batch } from '../host/batch.ts'
import type { Host } from '../host/host.ts'
import { run, runBatch, runMany } from '../host/run.ts'
import { listNames, parseNames, readFile } from '../tools/files.ts'
import { type ParsedConfig, parseConfig } from '../tools/xl/config.ts'
import { parseStatements } from '../tools/xl/syntax.ts'
import type { ConfigFile } from './domain.ts'

const READ_TIMEOUT_MS = 60_000

/** Keys of which a guest's configuration has one at least: /etc/xen holds other files too, xl.conf among them. */
const GUEST_KEYS = ['kernel', 'disk', 'builder', 'type', 'bootloader', 'firmware']

/**
 * Guests' configurations (xl.cfg(5)) in /etc/xen, where they end in `.cfg`, and in /etc/xen/auto. What stands in auto
 * is mostly a link to what stands above it: the same text is one configuration. What cannot be read, or is no
 * guest's, is left out. Looks only.
 */
export async function configFiles(host: Host, signal?: AbortSignal): Promise<ConfigFile[]> {
  const directories = ['/etc/xen', '/etc/xen/auto']
  const listed = await runBatch(host, batch(directories.map(listNames), { timeoutMs: READ_TIMEOUT_MS }), signal)
  const paths = directories.flatMap((directory, index) =>
    parseNames(listed[index]?.exit === 0 ? listed[index].stdout : '')
      .filter((name) => (directory === '/etc/xen' ? name.endsWith('.cfg') : !name.startsWith('.')))
      .map((name) => `${directory}/${name}`),
  )
  const outputs = await runMany(host, paths.map(readFile), { timeoutMs: READ_TIMEOUT_MS }, signal)
  const files = new Map<string, ConfigFile>()
  for (const [index, path] of paths.entries()) {
    const { exit, stdout } = outputs[index]!
    await turns.take()
    const file = exit === 0 ? toConfigFile(path, stdout) : undefined
    if (file && !files.has(file.text)) files.set(file.text, file)
  }
  return [...files.values()]
}

/**
 * One configuration of those, read now and parsed (xl.cfg(5)). `notFound` where the file is not there, `invalid`
 * where xl would not take it, `commandFailed` where it cannot be read.
 */
export async function readConfig(host: Host, path: string): Promise<ConfigFile & ParsedConfig> {
  const output = await run(host, { ...readFile(path), okExits: [0, 1], timeoutMs: READ_TIMEOUT_MS })
  if (output.exit !== 0) {
    const gone = /No such file/.test(output.stderr)
    const why = gone ? 'it is not there' : output.stderr.trim().replace(/^cat: /, '')
    throw new PengxError(gone ? 'notFound' : 'commandFailed', `cannot read ${path} on ${host.name}: ${why}`, {
      cause: output,
    })
  }
  const parsed = parseConfig(output.stdout, path)
  return { path, name: parsed.spec.name, text: output.stdout, ...parsed }
}

/** Undefined for a file that is not a guest's, or that xl would not take either. */
function toConfigFile(path: string, text: string): ConfigFile | undefined {
  try {
    const statements = parseStatements(text, path)
    if (!statements.some((statement) => GUEST_KEYS.includes(statement.key))) return undefined
    const { spec, uuid } = parseConfig(text, path, statements)
    return { path, name: spec.name, text, ...(uuid === undefined ? {} : { uuid }) }
  } catch (error) {
    if (error instanceof PengxError && error.code === 'invalid') return undefined
    throw error
  }
}
