import type { VmType, Vnc } from '../../../../model/vm.ts'
import { quoteString } from '../syntax.ts'
import { toVnc } from '../vnc.ts'
import { listOf } from './lines.ts'
import type { TreeReader } from './tree.ts'
import { type Said, sayFlag, takeWords, type Word } from './words.ts'

interface Display {
  readonly vnc?: Vnc
  readonly said: readonly Said[]
  /** How many keyboards came along. */
  readonly keyboards: number
}

/** What a domain shows: an HVM guest's own display, or frame buffers. */
export function readDisplay(config: TreeReader, own: TreeReader, type: VmType): Display {
  const frames = config.items('vfbs')
  if (type !== 'hvm') return { ...readFrames(frames, type), keyboards: frames.length }
  const { vnc, said } = readHvm(own.under('vnc'))
  const items = frames.map(sayFrame)
  return {
    ...(vnc === undefined ? {} : { vnc }),
    said: items.length === 0 ? said : [...said, { parameter: 'vfb', text: `vfb = ${listOf(items)}` }],
    keyboards: frames.length,
  }
}

/** An HVM guest has a display unless it is switched off; its words are then kept for the day it is switched on. */
function readHvm(frame: TreeReader): { vnc?: Vnc; said: Said[] } {
  const unused = sayFlag(frame.peek('findunused')) === '0' ? [{ parameter: 'vncunused', text: 'vncunused = 0' }] : []
  frame.take('findunused')
  const enabled = frame.text('enable')
  const listen = frame.text('listen')
  const password = frame.text('passwd')
  const display = frame.number('display')
  if (enabled !== 'False') return { vnc: toVnc(listen, password, display), said: unused }
  const said = [
    { parameter: 'vnclisten', value: listen === undefined ? undefined : quoteString(listen) },
    { parameter: 'vncpasswd', value: password === undefined ? undefined : quoteString(password) },
    { parameter: 'vncdisplay', value: display },
  ].flatMap(({ parameter, value }) => (value === undefined ? [] : [{ parameter, text: `${parameter} = ${value}` }]))
  return { said: [...said, ...unused] }
}

/** The first where a `Vnc` says all of it; every other is kept as it is. */
function readFrames(frames: readonly TreeReader[], type: VmType): { vnc?: Vnc; said: Said[] } {
  const [first, ...others] = frames
  if (first === undefined) return { said: [] }
  // the words of a frame buffer end at commas; those that a PV guest has beside it do not
  if (type === 'pv' && others.length === 0 && hasCommaPassword(first)) return readBeside(first)
  const vnc = isPlain(first) ? readPlain(first, type) : undefined
  const kept = vnc === undefined ? frames : others
  const items = kept.map((frame) => ({ parameter: 'vfb', text: `vfb += ${listOf([sayFrame(frame)])}` }))
  return { ...(vnc === undefined ? {} : { vnc }), said: items }
}

const hasCommaPassword = (frame: TreeReader) => String(frame.under('vnc').peek('passwd')).includes(',')

function readBeside(frame: TreeReader): { vnc?: Vnc; said: Said[] } {
  const own = frame.under('vnc')
  if (own.peek('enable') === 'False')
    return { said: [{ parameter: 'vfb', text: `vfb = ${listOf([sayFrame(frame)])}` }] }
  const unused = sayFlag(own.peek('findunused')) === '0' ? [{ parameter: 'vncunused', text: 'vncunused = 0' }] : []
  const keymap = frame.text('keymap')
  const words = keymap === undefined ? [] : [{ parameter: 'keymap', text: `keymap = ${quoteString(keymap)}` }]
  const sdl = takeWords(frame.under('sdl'), SDL).map((word) => {
    const [parameter, value] = word.split(/=(.*)/s) as [string, string]
    return { parameter, text: `${parameter} = ${quoteString(value)}` }
  })
  const vnc = readPlain(frame, 'pv')
  return { vnc, said: [...unused, ...words, ...sdl] }
}

function isPlain(frame: TreeReader): boolean {
  const vnc = frame.under('vnc')
  const sdl = frame.under('sdl')
  return (
    frame.peek('keymap') === undefined &&
    vnc.peek('enable') !== 'False' &&
    vnc.peek('findunused') !== 'False' &&
    ['enable', 'opengl'].every((key) => sdl.peek(key) !== 'True') &&
    ['display', 'xauthority'].every((key) => sdl.peek(key) === undefined)
  )
}

function readPlain(frame: TreeReader, type: VmType): Vnc {
  const vnc = frame.under('vnc')
  for (const key of ['enable', 'findunused']) vnc.take(key)
  for (const key of ['enable', 'opengl']) frame.under('sdl').take(key)
  // a frame buffer's words end at commas, and a PVH guest has no other words
  const sayable = type === 'pv' || !hasCommaPassword(frame)
  return toVnc(vnc.text('listen'), sayable ? vnc.text('passwd') : undefined, vnc.number('display'))
}

const SDL: readonly Word[] = [
  ['enable', 'sdl', sayFlag],
  ['opengl', 'opengl', sayFlag],
  ['display', 'display'],
  ['xauthority', 'xauthority'],
]

function sayFrame(frame: TreeReader): string {
  const vnc = takeWords(frame.under('vnc'), [
    ['enable', 'vnc', sayFlag],
    ['listen', 'vnclisten'],
    ['passwd', 'vncpasswd'],
    ['display', 'vncdisplay'],
    ['findunused', 'vncunused', sayFlag],
  ])
  const keymap = takeWords(frame, [['keymap', 'keymap']])
  const sdl = takeWords(frame.under('sdl'), SDL)
  return [...vnc, ...keymap, ...sdl].join(',')
}
