import { textOfBytes } from '../../../lib/bytes.ts'
import { PengxError } from '../../../model/error.ts'
import { run } from '../../host/run.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { fileExists, parseBase64, readBytes } from '../../tools/files.ts'

/** A VM's configuration file on a PM (xl.cfg(5)), as steps write it, look for it and take it away again. */

const LOOK_MS = 60_000

/** Whether there is a file of that path. */
export async function hasConfig(cx: Context, pm: string, path: string): Promise<boolean> {
  return (await run(cx.host(pm), { ...fileExists(path), timeoutMs: LOOK_MS }, cx.signal)).exit === 0
}

/** What stands in the file, byte by byte; null: it is not there. `commandFailed` where it cannot be read. */
export async function configText(cx: Context, pm: string, path: string): Promise<string | null> {
  const file = await run(cx.host(pm), { ...readBytes(path), okExits: [0, 1], timeoutMs: LOOK_MS }, cx.signal)
  if (file.exit === 0) return textOfBytes(parseBase64(file.stdout))
  if (/No such file/.test(file.stderr)) return null
  throw new PengxError('commandFailed', `cannot read ${path}: ${file.stderr.trim()}`, { cause: file })
}

/** Whether the file says that and nothing else. */
export async function saysConfig(cx: Context, pm: string, path: string, text: string): Promise<boolean> {
  return (await configText(cx, pm, path)) === text
}

/** A step that writes a file where none was; `textOf` is asked when it is written, and when it is looked for. */
export function newConfigStep(
  pm: string,
  path: string,
  textOf: (cx: Context) => string,
  name = 'write the configuration',
): ChangingStep {
  return {
    name,
    onward: true,
    shows: [`write ${path}`],
    async do(cx) {
      await cx.hypervisor.writeConfig(cx.host(pm), path, textOf(cx), cx.tag)
      return null
    },
    isApplied: (cx) => saysConfig(cx, pm, path, textOf(cx)),
    undo: (cx) => cx.hypervisor.removeConfig(cx.host(pm), path, cx.tag),
  }
}
