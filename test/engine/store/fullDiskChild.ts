import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../../src/engine/host/run.ts'
import { openLog } from '../../../src/lib/log.ts'
import { toPengxError } from '../../../src/model/error.ts'
import { serveSim } from '../../server/simServer.ts'
import { adoptRunning, makeStorlink, NEW_VM } from '../../support/sites/acts.ts'
import { until } from '../../support/until.ts'

/**
 * A server whose store lies on a disk (`argv[2]`) that becomes full while a job is at work, and has room again later. It
 * says what callers see, one line each; the machines' own state lies elsewhere (`argv[3]`).
 */
const [disk, elsewhere] = process.argv.slice(2) as [string, string]
const say = (what: string, ...seen: unknown[]) => void writeSync(1, `${[what, ...seen].join(' | ')}\n`)
process.on('unhandledRejection', (error) => say('nobody caught', toPengxError(error).message))

const ballast = join(disk, 'all-the-rest')

function fill(): void {
  const file = openSync(ballast, 'a')
  for (const size of [65_536, 4_096, 1]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size))
    } catch {
      // No room for so much any more.
    }
  }
  closeSync(file)
}

let isArmed = false
const place = { db: join(disk, 'pengx.db'), state: join(elsewhere, 'site.json'), forgets: true } as const
const intercept = ({ phase, step }: { phase: string; step: number }) => {
  if (!isArmed || phase !== 'after' || step !== 1) return
  isArmed = false
  fill()
}

{
  await using served = await serveSim({ intercept }, place)
  const { world, ask } = served
  const { engine, site } = world
  const guest = await adoptRunning(world)
  const storlink = await makeStorlink(world)
  const rows = async () => [...(await ask('GET', '/vms/')).text.matchAll(/<vm[ >]/g)].length
  const health = async () => {
    const { status, text } = await ask('GET', '/healthz')
    return `${status} ${text.trim().replace(/\d{4}-\S+Z/, 'TIME')}`
  }
  const step = (id: string) => `${engine.view.needJob(id).state}, ${engine.view.needJob(id).step}`
  const known = await rows()
  const log = openLog(join(disk, 'pengx.log'))!
  say('healthy', await health())

  isArmed = true
  const { id } = await engine.start('vm.create', engine.decode('vm.create', { ...NEW_VM, storlink }), 'http')
  const answer = engine.finished(id).then(
    () => 'it ended',
    (error) => toPengxError(error).code,
  )
  await until(() => engine.view.storeTrouble)
  await until(() => step(id).includes('waits'))
  say('full', await health())
  log.info({}, 'written while it is full')
  say('rows', (await rows()) === known + 1)
  say('job', step(id))
  say('who waits is told', await answer)
  const refused = await ask('POST', `/vms/${guest.uuid}/suspend/`)
  say('a change', refused.status, refused.text.includes('the disk is full'))
  await run(site.host('xen1'), { argv: ['xl', 'destroy', String(guest.seen.domid)], effect: 'change' })
  await engine.look()
  say('seen', /<status>(\w+)</.exec((await ask('GET', `/vms/${guest.uuid}/`)).text)?.[1])
  say('PMs', [...new Set(engine.view.pms().map(({ seen }) => seen.reach))])

  rmSync(ballast)
  const { job } = await engine.finished(id).catch(async () => {
    await until(() => engine.view.storeTrouble === undefined)
    return await engine.finished(id)
  })
  log.info({}, 'written afterwards')
  const lines = readFileSync(join(disk, 'pengx.log'), 'utf8').trim().split('\n')
  say('log', ...lines.map((line) => JSON.parse(line).msg))
  say('afterwards', job.state, await health())
  await engine.look()
  say('a change', (await ask('POST', `/vms/${guest.uuid}/start/`)).status)
}
say('closed')
