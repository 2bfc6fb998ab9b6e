import type { Engine } from '../engine/engine.ts'
import { formatMib } from '../lib/bytes.ts'
import { stripControl } from '../lib/text.ts'
import { PengxError } from '../model/error.ts'
import type { StoredVolume, VerifyReport } from '../model/finding.ts'
import { EXIT, exitOfJob } from './exit.ts'
import { formatJson, type Io } from './io.ts'
import { sayGoneOn, sayTakenOver } from './leftBehind.ts'
import { jobObject } from './lists.ts'
import { carryOut } from './run.ts'
import { formatTable } from './table.ts'
import { resolveTarget } from './target.ts'

interface GcArgs {
  readonly json: boolean
  readonly yes: boolean
  /** One storlink, by its name or number; absent: all. */
  readonly storlink?: string
}

/** `pengx gc`: why everything in the storlinks stays or may go; with `--yes` what may go is taken away. */
export async function collectGarbage(engine: Engine, { json, yes, storlink }: GcArgs, io: Io): Promise<number> {
  if (yes && engine.readOnly) throw new PengxError('readOnly', 'nothing is taken away: --read-only is set')
  if (yes) await sayTakenOver(engine, io)
  const only = storlink === undefined ? undefined : Number(resolveTarget(engine, 'storlink', storlink))
  const report = await engine.verify()
  await sayGoneOn(engine, io)
  const volumes = report.volumes.filter((volume) => only === undefined || volume.storlink === only)
  sayUnseen(report, io)
  const removable = volumes.filter((volume) => volume.removable)
  if (!yes) {
    await io.out(json ? formatJson({ volumes, jobs: [] }) : `${table(volumes, engine)}${total(removable)}`)
    return EXIT.done
  }
  const exits: number[] = []
  const jobs: object[] = []
  for (const id of new Set(removable.map((volume) => volume.storlink))) {
    const paths = removable.flatMap((volume) => (volume.storlink === id ? volume.path : []))
    const params = engine.decode('storlink.clean', { storlink: id, paths })
    if (!json) exits.push(await carryOut(engine, 'storlink.clean', params, false, io))
    else {
      const { job } = await engine.finished((await engine.start('storlink.clean', params, 'cli')).id)
      jobs.push(jobObject(job))
      exits.push(exitOfJob(job))
    }
  }
  if (json) await io.out(formatJson({ volumes, jobs }))
  else if (removable.length === 0) await io.out(total(removable))
  await sayGoneOn(engine, io)
  return exits.find((exit) => exit !== EXIT.done) ?? EXIT.done
}

/** What could not be looked at is not in the list. */
function sayUnseen({ findings }: VerifyReport, io: Io): void {
  for (const { code, text } of findings)
    if (['PM_AWAY', 'STORLINK_AWAY', 'STORLINK_OTHER_DISK'].includes(code)) io.err(`pengx: ${stripControl(text)}\n`)
}

function table(volumes: readonly StoredVolume[], engine: Engine): string {
  return formatTable<StoredVolume>(
    [
      { title: 'STORLINK', text: ({ storlink }) => engine.view.getStorlink(storlink)?.name ?? String(storlink) },
      { title: 'PATH', text: ({ path }) => path },
      { title: 'SIZE', align: 'right', text: ({ bytes }) => formatMib(Math.ceil(bytes / (1024 * 1024))) },
      { title: 'STAYS', text: ({ removable }) => (removable ? 'no' : 'yes') },
      { title: 'WHY', text: ({ reason }) => reason },
    ],
    volumes,
  )
}

function total(removable: readonly StoredVolume[]): string {
  if (removable.length === 0) return 'nothing may be taken away\n'
  const mib = Math.ceil(removable.reduce((sum, { bytes }) => sum + bytes, 0) / (1024 * 1024))
  return `${removable.length} may be taken away (${formatMib(mib)}): pengx gc --yes\n`
}
