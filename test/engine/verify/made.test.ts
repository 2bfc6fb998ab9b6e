import { afterAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore } from '../../../src/engine/store/store.ts'
import { MAKERS, madeBy } from '../../../src/engine/verify/made.ts'
import { readName } from '../../../src/engine/verify/names.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { OperationCase } from '../../contract/operationCase.ts'
import { runToEnd } from '../../contract/operationSteps.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { BACKUP_CASES } from '../operations/cases/backupCases.ts'
import { COPY_CASES } from '../operations/cases/copyCases.ts'
import { DEVICE_CASES } from '../operations/cases/deviceCases.ts'
import { MIGRATE_CASES } from '../operations/cases/migrateCases.ts'
import { MOVE_CASES } from '../operations/cases/moveCases.ts'
import { RESTORE_CASES } from '../operations/cases/restoreCases.ts'
import { SNAPSHOT_CASES } from '../operations/cases/snapshotCases.ts'
import { STORLINK_CASES } from '../operations/cases/storlinkCases.ts'
import { TEMPLATE_CASES } from '../operations/cases/templateCases.ts'
import { VM_CASES } from '../operations/cases/vmCases.ts'

/** What the facts of a job are said to make is what it makes: every operation, in each of its ways. */
const CASES = [
  ...BACKUP_CASES,
  ...RESTORE_CASES,
  ...COPY_CASES,
  ...DEVICE_CASES,
  ...MIGRATE_CASES,
  ...SNAPSHOT_CASES,
  ...MOVE_CASES,
  ...STORLINK_CASES,
  ...TEMPLATE_CASES,
  ...VM_CASES,
]

const root = mkdtempSync(join(tmpdir(), 'pengx-made-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let count = 0

/** Whole volumes with names as pengx gives them, wherever on the site. */
function volumesOn({ site }: World): Set<string> {
  const files = site.pmNames.flatMap((name) => Object.entries(site.filesOn(name)))
  const paths = files.filter(([, what]) => !what.startsWith('directory')).map(([path]) => path)
  return new Set(paths.filter((path) => readName(path).ours && readName(path).stage === 'volume'))
}

async function made(one: OperationCase) {
  const place = { db: join(root, `${++count}.db`), state: join(root, `${count}.json`) }
  const world = await openWorld({ ...one.config }, place)
  let [before, after] = [new Set<string>(), new Set<string>()]
  let jobId = ''
  try {
    const raw = await one.prepare(world)
    before = volumesOn(world)
    const { job } = await runToEnd(world, one.operation, world.engine.decode(one.operation, raw))
    jobId = job.id
    after = volumesOn(world)
  } finally {
    await world.close()
  }
  const store = await openStore({ at: { path: place.db }, clock: systemClock })
  const facts = await store.jobs.factsOf([...MAKERS, one.operation])
  await store.close()
  const told = madeBy(facts.filter(({ job }) => job.id === jobId)).flatMap(({ paths }) => paths)
  return { fresh: [...after].filter((path) => !before.has(path)), told, before }
}

describe.each(CASES.map((one) => [`${one.operation}${one.variant ? `, ${one.variant}` : ''}`, one] as const))(
  '%s',
  (_name, one) => {
    test('makes what its facts say', async () => {
      const { fresh, told, before } = await made(one)
      expect(fresh.filter((path) => !told.includes(path))).toEqual([])
      expect(told.filter((path) => before.has(path))).toEqual([])
    })
  },
)
