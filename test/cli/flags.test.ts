import { describe, expect, test } from 'bun:test'
import { z } from 'zod'
import { readOperationWords } from '../../src/cli/flags.ts'
import { readSecrets } from '../../src/cli/secrets.ts'
import { describeParams, field } from '../../src/engine/jobs/params.ts'
import { fakeIo } from '../support/fakeIo.ts'

const fields = describeParams(
  z.object({
    vm: z.string(),
    diskSize: field(z.number(), { title: 'size', unit: 'MiB' }),
    copyImage: field(z.boolean().default(true), { title: 'copy' }),
    bridges: field(z.array(z.string()).default([]), { title: 'bridges' }),
    vncPassword: field(z.string().optional(), { title: 'password', secret: true }),
  }),
)
const read = (line: string) => readOperationWords(fields, line.split(' '))

describe('the words after an operation', () => {
  test('are read by its own parameters', () => {
    expect(read('web01 --disk-size 10 --copyImage --bridges a,b --bridges=c')).toEqual({
      target: 'web01',
      raw: { diskSize: '10', copyImage: 'true', bridges: ['a', 'b', 'c'] },
      secrets: [],
    })
    expect(read('--no-copy-image web01').raw).toEqual({ copyImage: 'false' })
    expect(read('--copy-image=no web01')).toMatchObject({ target: 'web01', raw: { copyImage: 'no' } })
  })

  test('behind the TARGET are for one parameter where the command has one for them', () => {
    const words = ['web01', '--disk-size', '10', '/a', '/b']
    expect(readOperationWords(fields, words, 'bridges').raw).toEqual({ diskSize: '10', bridges: ['/a', '/b'] })
    expect(readOperationWords(fields, ['web01', '10'], 'diskSize')).toMatchObject({
      target: 'web01',
      raw: { diskSize: '10' },
    })
    for (const further of [undefined, 'diskSize']) {
      const read = () => readOperationWords(fields, words, further)
      expect(read).toThrow('one TARGET is expected')
    }
  })

  test.each([
    ['--copy-image', 'true'],
    ['--no-copy-image', 'false'],
    ['--copy-image=false', 'false'],
    ['--copyImage=TRUE', 'true'],
    ['--copy-image false', 'false'],
    ['--copy-image true', 'true'],
    ['--copy-image no', 'no'],
    ['--copy-image yes', 'yes'],
  ])('a flag is said as %s, before the TARGET and behind it', (words, copyImage) => {
    const given = { target: 'web01', raw: { copyImage }, secrets: [] }
    expect(read(`web01 ${words}`)).toEqual(given)
    expect(read(`${words} web01`)).toEqual(given)
    expect(read(`${words} --disk-size 10 web01`)).toEqual({ ...given, raw: { copyImage, diskSize: '10' } })
  })

  test('only the very words of a flag are its value', () => {
    expect(read('--copy-image True')).toMatchObject({ target: 'True', raw: { copyImage: 'true' } })
    expect(read('--copy-image 0')).toMatchObject({ target: '0', raw: { copyImage: 'true' } })
  })

  test.each([
    ['web01 web02', 'one TARGET is expected, got "web01" and "web02"'],
    ['web01 --disk-size', '--disk-size needs a value'],
    ['web01 --disk-size --copy-image', '--disk-size needs a value'],
    ['web01 --disk-size 1 --diskSize 2', '--disk-size is given twice'],
    ['web01 --disksize 1', 'unknown flag --disksize; did you mean --disk-size?'],
    ['web01 --no-disk-size', 'unknown flag --no-disk-size; did you mean --disk-size?'],
    ['web01 --copy-image=maybe', '--copy-image takes true, false, yes or no, got "maybe"'],
    ['web01 --copy-image=', '--copy-image takes true, false, yes or no, got ""'],
    [
      'web01 --copy-image maybe',
      'one TARGET is expected, got "web01" and "maybe"; --copy-image takes true, false, yes or no',
    ],
    [
      '--copy-image maybe web01',
      'one TARGET is expected, got "maybe" and "web01"; --copy-image takes true, false, yes or no',
    ],
    ['web01 --no-copy-image no', '--no-copy-image takes no value, got "no"; --copy-image takes true, false, yes or no'],
    ['web01 --no-copy-image=true', '--no-copy-image takes no value, got "true"'],
    ['web01 --read-only', 'nothing is done: --read-only is set, and every operation is a change'],
    [
      'web01 --vnc-password hunter2',
      '--vnc-password is a secret, and other users can read a command line: give --vnc-password - (standard input) or --vnc-password @FILE',
    ],
  ])('%s is refused', (line, message) => {
    expect(() => read(line)).toThrow(message)
  })

  test('a secret is read from standard input or a file', async () => {
    expect(read('web01 --vnc-password -').secrets).toEqual([{ name: 'vncPassword', from: '-' }])
    const { io } = fakeIo({ input: 'hunter2\n' })
    expect(await readSecrets([{ name: 'vncPassword', from: '-' }], io)).toEqual({ vncPassword: 'hunter2' })
    expect(readSecrets([{ name: 'vncPassword', from: '/nonexistent/file' }], io)).rejects.toThrow(
      '/nonexistent/file cannot be read',
    )
    expect(readSecrets([{ name: 'vncPassword', from: '-' }], fakeIo({ input: '\n' }).io)).rejects.toThrow(
      'the secret is empty',
    )
  })
})
