// A hundred moments, half of them inside dom0 and half from outside. PENGX_SEED repeats a run, PENGX_KILLS says how many.
import { expect, test } from 'bun:test'
import { randomKills } from '../kills/randomKills.ts'
import { labHost, labHosts } from '../machine/ssh.ts'
import { pengxInside, pengxOutside } from '../pengx.ts'

const seed = Number(process.env.PENGX_SEED ?? Date.now() % 1_000_000)
const count = Math.ceil(Number(process.env.PENGX_KILLS ?? 100) / 2)
const LONG_MS = 4 * 3_600_000

test(
  `inside dom0, seed ${seed}`,
  async () => {
    const host = labHost()
    const open = () => pengxInside(host, `/var/lib/pengx-kills-${crypto.randomUUID()}`)
    expect(await randomKills(host, { seed, count, open })).toEqual([])
  },
  LONG_MS,
)

test(
  `from outside, seed ${seed}`,
  async () => {
    const open = async () => pengxOutside(labHosts().slice(0, 1))
    expect(await randomKills(labHost(), { seed, count, open })).toEqual([])
  },
  LONG_MS,
)
