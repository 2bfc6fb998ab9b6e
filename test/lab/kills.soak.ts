// Twenty moments inside dom0 and twenty from outside; PENGX_SEED repeats a run.
import { test } from 'bun:test'
import { randomKills } from './kills.ts'
import { labHost, labHosts } from './machine/ssh.ts'
import { pengxInside, pengxOutside } from './pengx.ts'

const seed = Number(process.env.PENGX_SEED ?? Date.now() % 1_000_000)

test(`inside dom0, seed ${seed}`, async () => {
  const host = labHost()
  for (const line of await randomKills(host, await pengxInside(host, '/var/lib/pengx-kills'), 20, seed))
    console.log(line)
}, 3_600_000)

test(`from outside, seed ${seed}`, async () => {
  for (const line of await randomKills(labHost(), pengxOutside(labHosts().slice(0, 1)), 20, seed)) console.log(line)
}, 3_600_000)
