import { afterEach, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { CODES } from '../../src/engine/verify/codes.ts'
import type { Finding, VerifyReport } from '../../src/model/finding.ts'
import { openRobot, type Robot, widest } from '../support/screenRobot.ts'
import { CLEAN } from '../support/sites/fakeEngine.ts'
import { createScreenEngine, mockSite, NOW } from '../support/sites/screenSite.ts'
import { until } from '../support/until.ts'

/** The screen of what differs: findings, what they mean, and their repairs. */
const GOLDEN = join(import.meta.dir, '../golden/frames')
const TO_VERIFY = [':', 'v', 'e', 'r', 'i', 'f', 'y', 'enter']
let robot: Robot | undefined
afterEach(async () => {
  await robot?.close()
})

function siteWith(report: (vm: { readonly uuid: string; readonly name: string }, pm: string) => readonly Finding[]) {
  const site = mockSite()
  const vm = site.vms!.find(({ name, seen }) => name === 'web01' && seen.state === 'running')!
  const pms = site.pms!.map((pm) => ({ ...pm, readOnly: false }))
  const findings = report(vm, vm.pm)
  const codes = CODES.filter(({ code }) => findings.some((one) => one.code === code))
  const counts = { pms: 3, vms: site.vms!.length, volumes: 40, images: 38 }
  return { ...site, pms, report: { at: NOW, findings, codes, volumes: [], counts } satisfies VerifyReport }
}

const FOUND = siteWith((vm, pm) => [
  {
    code: 'VM_ON_FROZEN_LAYER',
    severity: 'danger',
    subject: { kind: 'vm', id: vm.uuid, name: vm.name },
    pm,
    path: '/data/base.qcow2',
    text: `the domain of VM ${vm.name} writes to /data/base.qcow2, which is disk xvda of layer 1 of VM ${vm.name}, and nobody may write to that`,
    repair: { operation: 'vm.poweroff', params: { vm: vm.uuid } },
  },
  {
    code: 'VOLUME_UNKNOWN',
    severity: 'note',
    subject: { kind: 'storlink', id: '1', name: 'data' },
    pm,
    path: '/data/0d600000-0000-4000-8000-000000000001.qcow2',
    text: '/data/0d600000-0000-4000-8000-000000000001.qcow2: no job of this store has made it: it may be another pengx’s',
  },
])

async function golden(name: string, shown: Robot): Promise<void> {
  const path = join(GOLDEN, `${name}.txt`)
  const lines = shown.lines().map((line) => line.trimEnd())
  const frame = `${lines.join('\n')}\n`
  if (process.env.PENGX_GOLDEN || !existsSync(path)) {
    expect(process.env.PENGX_GOLDEN, `${path} is not there: bun run golden writes it`).toBeDefined()
    await Bun.write(path, frame)
  }
  expect(frame).toBe(await Bun.file(path).text())
}

for (const [columns, rows] of [
  [120, 36],
  [80, 24],
] as const) {
  test(`what differs, at ${columns}x${rows}`, async () => {
    robot = await openRobot(createScreenEngine(FOUND), { columns, rows })
    await robot.press(...TO_VERIFY)
    await robot.shows('VM_ON_FROZEN_LAYER')
    expect(robot.lines()).toHaveLength(rows)
    expect(widest(robot.lines())).toBe(columns)
    await golden(`verify-${columns}x${rows}`, robot)
  })
}

test('a finding is read with the plan of its repair, which is asked for like any other operation', async () => {
  const engine = createScreenEngine(FOUND)
  const step = { name: 'destroy the domain', shows: ['xl destroy 3'], pivot: false, undoable: false }
  engine.plan({ steps: [step] })
  robot = await openRobot(engine)
  await robot.press(...TO_VERIFY)
  await robot.press('enter')
  await robot.shows('1. destroy the domain')
  await robot.press('esc', 'R')
  await robot.shows('Power off web01?')
  expect(engine.started).toEqual([])
  await robot.press('y')
  await until(() => engine.started.length === 1, 'the repair is started')
  expect(engine.started[0]).toMatchObject({ operation: 'vm.poweroff' })
})

test('what has no repair says so, and a clean site is told so', async () => {
  robot = await openRobot(createScreenEngine(FOUND))
  await robot.press(...TO_VERIFY)
  await robot.press('j', 'R')
  await robot.shows('no repair of it is safe to offer')
  await robot.close()
  robot = await openRobot(createScreenEngine({ ...mockSite(), report: CLEAN }))
  await robot.press(...TO_VERIFY)
  await robot.shows('all is as it is written down')
})

test('what cannot be compared says why, once, and is tried again when asked', async () => {
  const engine = createScreenEngine(FOUND)
  let asked = 0
  const failing = {
    ...engine,
    verify: async () => {
      asked++
      if (asked === 1) throw new Error('the store cannot be read')
      return FOUND.report
    },
  }
  robot = await openRobot(failing)
  await robot.press(...TO_VERIFY)
  await robot.shows('it was not compared: the store cannot be read')
  expect(asked).toBe(1)
  await robot.press('c')
  await robot.shows('VOLUME_UNKNOWN')
})
