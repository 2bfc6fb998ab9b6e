import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host } from '../../../src/engine/host/host.ts'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import type { Image } from '../../../src/engine/volumes/volumeDriver.ts'
import { createSimSite } from '../../../src/sim/site.ts'
import { ask, write } from '../../contract/volumeSite.ts'

/** The last of an image's tables are written when it is closed, and qemu-img does not say with its exit that it could not. */

const TAG = 'flush.0'
const root = mkdtempSync(join(tmpdir(), 'pengx-flush-'))
const real = openLocalHost('here')
afterAll(async () => {
  await real.close()
  rmSync(root, { recursive: true, force: true })
})

/** A host whose disk refuses an image's second-level tables (qemu's own blkdebug), for one program's word. */
function failing(verb: string, path: string): Host {
  const rules = join(root, 'blkdebug.conf')
  writeFileSync(rules, '[inject-error]\nevent = "l2_update"\nerrno = "5"\n')
  return {
    ...real,
    open(command, signal) {
      if (command.argv[1] !== verb) return real.open(command, signal)
      const argv = command.argv.map((word) => (word === path ? `blkdebug:${rules}:${path}` : word))
      return real.open({ ...command, argv: argv as [string, ...string[]] }, signal)
    },
  }
}

test('a layer whose tables cannot be written lies where it lay, and reads as before', async () => {
  const base: Image = { path: join(root, 'base.qcow2'), format: 'qcow2' }
  const top: Image = { path: join(root, 'top.qcow2'), format: 'qcow2' }
  await fileVolumes.create(real, base.path, 'qcow2', 16, TAG)
  await write(real, base, '0xb0', 0, 4)
  await fileVolumes.overlay(real, top.path, base, undefined, TAG)
  // It has a table already: the only thing that is left to the end is what stands in it.
  await write(real, top, '0xb2', 8, 1)
  await ask(real, 'cp', top.path, `${top.path}.was`)
  await expect(fileVolumes.rebase(failing('rebase', top.path), top.path, undefined, TAG)).rejects.toMatchObject({
    code: 'commandFailed',
    message: expect.stringContaining('Input/output error'),
  })
  expect((await fileVolumes.chain(real, top)).map((image) => image.path)).toEqual([top.path, base.path])
  expect(await fileVolumes.compare(real, { path: `${top.path}.was`, format: 'qcow2' }, top)).toBe(true)
})

test('a copy whose tables were not written has not its name', async () => {
  const sim = createSimSite({ vmCount: 0, pmCount: 1, pace: 0 })
  const host = sim.host('xen1')
  const source: Image = { path: '/data/source.raw', format: 'raw' }
  const target: Image = { path: '/data/target.qcow2', format: 'qcow2' }
  await ask(host, 'qemu-img', 'create', '-q', '-f', 'raw', source.path, '16M')
  const stderr = 'qemu-img: Failed to flush the L2 table cache: No space left on device\n'
  sim.faults.add({ match: 'qemu-img convert', effect: { kind: 'failAfter', exit: 0, stderr } })
  const copy = () => fileVolumes.importImage(host, source, target, TAG, () => undefined)
  await expect(copy()).rejects.toMatchObject({ code: 'noSpace' })
  expect(await fileVolumes.stat(host, target.path)).toBeUndefined()
  await copy()
  expect(await fileVolumes.stat(host, target.path)).toMatchObject({ sizeMib: 16 })
})
