import { expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { IMAGE_COMMANDS } from '../../src/sim/programs/qemuImg/qemuImg.ts'
import { PROGRAMS } from '../../src/sim/programs/table.ts'
import { XL_COMMANDS } from '../../src/sim/programs/xl/xl.ts'
import { transcripts } from '../support/transcript.ts'
import { LINES } from './lines.ts'

/**
 * The simulator answers nothing that is not compared with what the real program printed: each program of its table, and
 * each sub-command of xl and qemu-img, is in a command line that also runs on the real one, or in a transcript that a test
 * beside this one plays on the simulated site.
 */

/** Of these no test here compares an answer; each with what holds it to the real one instead. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  hostname: 'tells of the machine',
  ip: 'tells of the machine; its parser reads a transcript',
  'ssh-keygen': 'a key is made by chance',
  ssh: 'runs a program on another simulated PM, as xl migrate does',
  sh: 'a shell that a person types at, and scripts that are known by name; the contracts run the real ones',
  pgrep: 'not every host has it (nor has a bare Debian): without it nothing is found, as there',
  ps: 'tells of processes; its parser reads transcripts (xl-*-half-built)',
  blkdiscard: 'needs a block device: the lab does the same to a real volume',
  sanlock:
    'says less than the real one; its parser reads a transcript, and the lab has the real one (sanlock.shared.e2e.ts)',
  'xl dmesg': 'says nothing',
  'xl migrate':
    'wants two hosts; the parser of what it says reads a transcript, and the lab moves a guest (site.pair.e2e.ts)',
}

/** These want a device mapper and root: the contract of volumes runs on them here, and on a real group in the lab. */
const OF_LVM = [
  ...['lvs', 'vgs', 'pvscan', 'vgchange'],
  ...['lvcreate', 'lvremove', 'lvextend', 'lvreduce', 'lvrename', 'lvchange'],
]

/** The commands of a line, whatever stands between them. */
const commandsIn = (line: string) => line.split(/[;|&]+|\$\(/).map((part) => part.trim().split(' '))

/** The transcripts that tests of the simulator read: what such a test names, it plays. */
function playedHere(): string[] {
  const tests = readdirSync(import.meta.dir).filter((file) => /^(transcripts.*|guests)\.test\.ts$/.test(file))
  const texts = tests.map((file) => readFileSync(join(import.meta.dir, file), 'utf8'))
  const known = readdirSync(join(import.meta.dir, '../transcripts')).map((file) => file.replace(/\.txt$/, ''))
  return known.filter((name) => texts.some((text) => text.includes(`'${name}'`)))
}

const compared = (): Set<string> => {
  const here = LINES.map((line) => (typeof line === 'string' ? line : line[0]))
  const recorded = playedHere().flatMap((name) => transcripts(name).map(({ command }) => command))
  const words = [...here, ...recorded].flatMap(commandsIn)
  return new Set(words.flatMap(([program, verb]) => [program!, `${program} ${verb}`]))
}

const ANSWERED = [
  ...Object.keys(PROGRAMS),
  ...Object.keys(XL_COMMANDS).map((verb) => `xl ${verb}`),
  ...Object.keys(IMAGE_COMMANDS).map((verb) => `qemu-img ${verb}`),
]

test('what the simulator answers is compared with the real program, or the real program is held to it elsewhere', () => {
  const known = compared()
  const excepted = [...Object.keys(ELSEWHERE), ...OF_LVM]
  expect(ANSWERED.filter((name) => !known.has(name) && !excepted.includes(name))).toEqual([])
})

test('nobody is excepted who is compared, or who is not there', () => {
  const known = compared()
  const excepted = [...Object.keys(ELSEWHERE), ...OF_LVM]
  expect(excepted.filter((name) => known.has(name) || !ANSWERED.includes(name))).toEqual([])
})
