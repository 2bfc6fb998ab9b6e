import { expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { HEAD_BYTES, readForeignHeader, TAIL_BYTES } from '../../../src/engine/tools/transfer/imageHeader.ts'

const read = (bytes: Uint8Array) => readForeignHeader(bytes.subarray(0, HEAD_BYTES), bytes.subarray(-TAIL_BYTES))

/** What the real qemu-img says that an image lies on, or would open for its bytes, were it there. */
function leadsTo(path: string, format: string): unknown[] {
  const ask = (verb: string) => Bun.spawnSync(['qemu-img', verb, '--output=json', '-U', '-f', format, path])
  const [info, map] = [ask('info'), ask('map')]
  const backing = info.exitCode === 0 ? JSON.parse(info.stdout.toString())['backing-filename'] : undefined
  return [backing, ...(map.stderr.toString().match(/data\.raw/g) ?? [])].filter((one) => one !== undefined)
}

test('whatever bytes they are, they are told or refused, and never taken for more than they are', () => {
  const magics = ['QFI\u00fb', 'KDMV', 'conectix', 'vhdxfile', 'COWD', '']
  const bytes = fc
    .tuple(fc.constantFrom(...magics), fc.uint8Array({ maxLength: 1200 }))
    .map(([magic, rest]) => Uint8Array.from([...Buffer.from(magic, 'latin1'), ...rest]))
  fc.assert(
    fc.property(bytes, (image) => {
      const told = read(image)
      expect('problem' in told ? told.problem !== '' : told.format !== undefined).toBe(true)
    }),
    { numRuns: 3000 },
  )
})

test('what is taken leads nowhere, as the real qemu-img sees it too, however its header is mangled', () => {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-headers-'))
  try {
    const at = (name: string) => join(dir, name)
    const make = (...words: string[]) => {
      const made = Bun.spawnSync(['qemu-img', 'create', '-q', ...words])
      expect(made.exitCode).toBe(0)
    }
    make('-f', 'raw', at('base.raw'), '1M')
    make('-f', 'qcow2', '-b', at('base.raw'), '-F', 'raw', at('backed.qcow2'))
    make('-f', 'qcow2', '-o', `data_file=${at('data.raw')}`, at('data.qcow2'), '1M')
    make('-f', 'vmdk', at('parent.vmdk'), '1M')
    make('-f', 'vmdk', '-b', at('parent.vmdk'), '-F', 'vmdk', at('child.vmdk'))
    rmSync(at('data.raw'))
    const files = ['backed.qcow2', 'data.qcow2', 'child.vmdk']
    for (const file of files) {
      expect(read(readFileSync(at(file)))).toHaveProperty('problem')
      expect(leadsTo(at(file), file.split('.')[1]!)).not.toEqual([])
    }
    // where a qcow2 says its version, backing and features, and anywhere in both headers
    const where = fc.oneof(
      fc.integer({ min: 7, max: 19 }),
      fc.constantFrom(78, 79),
      fc.nat(120),
      fc.integer({ min: 512, max: 1100 }),
    )
    const edit = fc.record({ at: where, byte: fc.oneof(fc.constantFrom(0, 2, 3), fc.nat(255)) })
    fc.assert(
      fc.property(fc.constantFrom(...files), fc.array(edit, { minLength: 1, maxLength: 3 }), (file, edits) => {
        const image = Buffer.from(readFileSync(at(file)))
        for (const { at: where, byte } of edits) image[where] = byte
        const told = read(image)
        if ('problem' in told || told.format === 'raw') return
        writeFileSync(at('mangled'), image)
        expect(leadsTo(at('mangled'), told.format)).toEqual([])
      }),
      { numRuns: 1500 },
    )
  } finally {
    rmSync(dir, { recursive: true })
  }
})
