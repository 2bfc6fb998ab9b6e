// The short form of kills.soak.ts.
import { test } from 'bun:test'
import { randomKills } from './kills.ts'
import { labHost } from './machine/ssh.ts'
import { pengxInside } from './pengx.ts'

test('pengx is killed at three moments, and the next start leaves nothing half made', async () => {
  const host = labHost()
  await randomKills(host, await pengxInside(host, '/var/lib/pengx-kills'), 3, 20_261_123)
})
