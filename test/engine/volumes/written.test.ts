import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { run } from '../../../src/engine/host/run.ts'
import { fileVolumes } from '../../../src/engine/volumes/file.ts'
import { holdsWrites } from '../../../src/engine/volumes/image.ts'
import type { Image } from '../../../src/engine/volumes/volumeDriver.ts'

/** Whether a guest has written to a volume since it was made, as a real qemu-img tells. */

const dir = mkdtempSync(join(tmpdir(), 'pengx-written-'))
const host = openLocalHost('here')
afterAll(() => rmSync(dir, { recursive: true, force: true }))

async function made(name: string, format: Image['format'], backing?: Image): Promise<Image> {
  const path = join(dir, `${name}.${format}`)
  if (backing) await fileVolumes.overlay(host, path, backing, undefined, 'test.0')
  else await fileVolumes.create(host, path, format, 16, 'test.0')
  return { path, format }
}

async function write({ path, format }: Image, what: string): Promise<void> {
  await run(host, { argv: ['qemu-io', '-f', format, '-c', what, path], effect: 'change' })
}

test.each(['qcow2', 'raw'] as const)('a new %s volume holds nothing; a byte anywhere is found', async (format) => {
  for (const at of ['0', '1M', '15M']) {
    const image = await made(`new-${at}`, format)
    expect(await holdsWrites(host, image)).toBe(false)
    await write(image, `write -P 0x11 ${at} 512`)
    expect(await holdsWrites(host, image)).toBe(true)
  }
})

test('zeros that a guest wrote hide what lies below, so they count', async () => {
  const base = await made('base', 'qcow2')
  await write(base, 'write -P 0x22 0 1M')
  const overlay = await made('overlay', 'qcow2', base)
  expect(await holdsWrites(host, overlay)).toBe(false)
  await write(overlay, 'write -z 0 64k')
  expect(await holdsWrites(host, overlay)).toBe(true)
})

test('what is not there cannot be told', async () => {
  const why = await holdsWrites(host, { path: join(dir, 'none.qcow2'), format: 'qcow2' }).catch((error) => error.code)
  expect(why).toBe('commandFailed')
})
