// The soak: a day in fast motion (soak/day.ts). PENGX_MINUTES says how long, PENGX_SEED repeats the choice of what is done. Its
// figures are written to docs/PROOF.md, whatever its end.
import { expect, test } from 'bun:test'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { labHosts, sh } from '../machine/ssh.ts'
import { soak } from '../soak/day.ts'
import { formatRun, insertRun } from '../soak/figures.ts'

const root = resolve(import.meta.dir, '../../..')
const PAGE = resolve(root, 'docs/PROOF.md')
const seed = Number(process.env.PENGX_SEED ?? Date.now() % 1_000_000)
const minutes = Number(process.env.PENGX_MINUTES ?? 40)
const hosts = labHosts()

test(
  `${minutes} minutes, seed ${seed}`,
  async () => {
    const at = new Date()
    const [xen, qemu] = await Promise.all([
      sh(hosts[0]!, 'xl info xen_version'),
      sh(hosts[0]!, "/usr/libexec/xen-qemu-system-i386 --version | sed -n 's/.*version \\([0-9.]*\\).*/\\1/p'"),
    ])
    const commit = process.env.PENGX_COMMIT ?? 'unknown'
    const { version } = await Bun.file(resolve(root, 'package.json')).json()
    const figures = await soak({ hosts, seed, minutes })
    const run = {
      at,
      version,
      commit,
      seed,
      minutes,
      xen: xen.trim(),
      qemu: qemu.trim(),
      cores: availableParallelism(),
    }
    await Bun.write(PAGE, insertRun(await Bun.file(PAGE).text(), formatRun(run, figures)))
    expect(figures.failures).toEqual([])
  },
  (minutes + 60) * 60_000,
)
