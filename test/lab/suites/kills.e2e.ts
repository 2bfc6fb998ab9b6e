// The short form of kills.soak.ts.
import { expect, test } from 'bun:test'
import { randomKills } from '../kills/randomKills.ts'
import { labHost, labHosts } from '../machine/ssh.ts'
import { pengxOutside } from '../pengx.ts'

test('pengx is killed at three moments, and the next start leaves nothing half made', async () => {
  const open = async () => pengxOutside(labHosts().slice(0, 1))
  expect(await randomKills(labHost(), { seed: 20_261_128, count: 3, open })).toEqual([])
})
