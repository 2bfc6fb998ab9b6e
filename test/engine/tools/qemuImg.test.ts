import { afterAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Program } from '../../../src/engine/tools/program.ts'
import {
  checkImage,
  compareImages,
  convertImage,
  createImage,
  imageChain,
  imageInfo,
  parseCheck,
  parseImageChain,
  parseImageInfo,
  parseProgress,
  resizeImage,
} from '../../../src/engine/tools/qemuImg.ts'

const directory = mkdtempSync(join(tmpdir(), 'pengx-img-'))
afterAll(() => rmSync(directory, { recursive: true }))
const at = (name: string) => join(directory, name)

function ask(program: Program) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([...program.argv])
  if (!(program.okExits ?? [0]).includes(exitCode)) throw new Error(stderr.toString())
  return { exit: exitCode, stdout: stdout.toString() }
}

test('an image with a backing, its chain, its growth', () => {
  ask(createImage({ path: at('base.qcow2'), format: 'qcow2', sizeMib: 8 }))
  ask(createImage({ path: at('top.qcow2'), format: 'qcow2', backing: { path: at('base.qcow2'), format: 'qcow2' } }))
  expect(parseImageInfo(ask(imageInfo(at('top.qcow2'))).stdout)).toMatchObject({
    format: 'qcow2',
    sizeMib: 8,
    usedMib: 1,
    backing: at('base.qcow2'),
    backingPath: at('base.qcow2'),
    backingFormat: 'qcow2',
    corrupt: false,
  })
  expect(parseImageChain(ask(imageChain(at('top.qcow2'))).stdout).map((image) => image.backing)).toEqual([
    at('base.qcow2'),
    undefined,
  ])
  ask(resizeImage(at('base.qcow2'), 'qcow2', 9))
  expect(parseImageInfo(ask(imageInfo(at('base.qcow2'))).stdout).sizeMib).toBe(9)
})

test('every format can be made, converted, compared and checked', () => {
  ask(createImage({ path: at('a.raw'), format: 'raw', sizeMib: 4 }))
  for (const format of ['qcow2', 'vhd'] as const) {
    const copy = { path: at(`copy.${format}`), format }
    const { stdout } = ask(convertImage({ source: { path: at('a.raw'), format: 'raw' }, target: copy }))
    expect(parseProgress(stdout)).toBe(1)
    expect(ask(compareImages({ path: at('a.raw'), format: 'raw' }, copy)).exit).toBe(0)
  }
  expect(parseCheck(ask(checkImage(at('copy.qcow2'), 'qcow2')).stdout)).toMatchObject({
    errors: 0,
    corruptions: 0,
  })
})

test('into a volume that is there, and a difference is an answer', () => {
  ask(createImage({ path: at('old.raw'), format: 'raw', sizeMib: 4 }))
  Bun.spawnSync(['dd', 'if=/dev/urandom', `of=${at('new.raw')}`, 'bs=1M', 'count=4', 'status=none'])
  const [source, target] = [
    { path: at('new.raw'), format: 'raw' },
    { path: at('old.raw'), format: 'raw' },
  ] as const
  expect(ask(compareImages(source, target)).exit).toBe(1)
  ask(convertImage({ source, target, existing: true }))
  expect(ask(compareImages(source, target)).exit).toBe(0)
})

test('progress, however it is cut', () => {
  expect(parseProgress('    (0.00/100%)\r    (12.34/100%)\r    (12.9')).toBe(0.1234)
  expect(parseProgress('nothing yet')).toBeUndefined()
})
