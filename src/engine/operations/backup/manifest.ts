import type { Backup } from '../../../model/backup.ts'
import type { Level, Storlink } from '../../../model/storlink.ts'
import { batch } from '../../host/batch.ts'
import { run, runAll } from '../../host/run.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import { draftOf, removeFile, writeFileAtomically, writeInto } from '../../tools/files.ts'
import { isThere } from '../storlink/madeVolume.ts'
import { saysConfig } from '../vm/configFile.ts'
import type { BackupLocation } from './target.ts'

/**
 * What a backup is, beside its volumes: with it they can be told apart and put back where no store is left. On files it
 * is `UUID.backup.json`, on logical volumes a small one of text, ended by a NUL.
 */
const MANIFEST_MIB = 1

export function manifestPath(uuid: string, storlink: Storlink, cx: Pick<Context, 'volumes'>): string {
  if (storlink.level === 'FL') return `${storlink.link.replace(/\/$/, '')}/${uuid}.backup.json`
  return cx.volumes(storlink.level).locate({ storlink, uuid, format: 'raw' })
}

/** With what it was made. */
export type Tools = { readonly qemuImg: string; readonly xen: string }

/** What it says. */
export function manifestOf(backup: Backup, tools: Tools): string {
  const { storlink: _here, state: _state, checkedAt: _checked, ...rest } = backup
  return `${JSON.stringify({ pengxBackup: 1, ...rest, tools }, null, 2)}\n`
}

export function manifestStep(
  path: string,
  { pm, level }: BackupLocation,
  backup: (cx: Context) => Backup,
  tools: Tools,
): ChangingStep {
  return {
    name: 'write the manifest',
    shows: [`write ${path}`],
    async do(cx) {
      const text = manifestOf(backup(cx), tools)
      if (level === 'FL') {
        await cx.volumes(level).mayWrite(cx.host(pm), path, cx.tag)
        await runAll(cx.host(pm), tagged(cx, writeFileAtomically(path, text)))
      } else {
        await cx.volumes(level).create(cx.host(pm), path, 'raw', MANIFEST_MIB, cx.tag)
        await run(cx.host(pm), { ...writeInto(path, new TextEncoder().encode(`${text}\0`)), tag: cx.tag })
      }
      return null
    },
    /** What it says follows from what was read back, whenever it is written. */
    isApplied: async (cx) =>
      (level === 'FL' && (await saysConfig(cx, pm, path, manifestOf(backup(cx), tools)))) || 'again',
    undo: (cx) => removeManifest(path, { pm, level }, cx),
  }
}

/** Whether there is something of that path, whatever it says. */
export function isManifestThere(path: string, { pm, level }: BackupLocation, cx: Context): Promise<boolean> {
  return isThere(cx, pm, { path, level })
}

export async function removeManifest(path: string, { pm, level }: { pm: string; level: Level }, cx: Context) {
  if (level === 'FL') {
    await cx.volumes(level).mayWrite(cx.host(pm), path, cx.tag)
    await runAll(cx.host(pm), tagged(cx, [removeFile(path), removeFile(draftOf(path))]))
  } else await cx.volumes(level).remove(cx.host(pm), path, cx.tag)
}

function tagged(cx: Context, parts: Parameters<typeof batch>[0]) {
  return { ...batch(parts, { stopOnFailure: true }), tag: cx.tag }
}
