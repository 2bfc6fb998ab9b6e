import { PengxError } from '../../../model/error.ts'
import type { VmSpec, VmType, Vnc } from '../../../model/vm.ts'
import type { ConfigReader } from './reader.ts'
import { formatList, quoteString } from './syntax.ts'

const LOOPBACK = '127.0.0.1'

/**
 * PV and PVH guests have a display where `vfb` or (PV alone) `vnc` asks for one; HVM guests have one unless `vnc = 0`.
 * Keys of a display that is switched off are kept, for the day it is switched on again.
 */
export function readVnc(reader: ConfigReader, type: VmType): Vnc | undefined {
  if (type !== 'hvm') {
    let count = 0
    // a second display, or one with words that pengx lacks, is kept as it is
    const [first] = reader.list('vfb', (item) => (count++ === 0 ? parseVfb(item) : undefined))
    if (count > 0) return first
  }
  const enabled = type === 'pvh' ? undefined : reader.number('vnc')
  if (enabled === 0 || (enabled === undefined && type !== 'hvm')) return undefined
  const display = reader.number('vncdisplay')
  return toVnc(reader.text('vnclisten'), reader.text('vncpasswd'), display)
}

/**
 * An address with a colon in it carries its display along: `0.0.0.0:5`, `[::1]:0`. None at all is libxl's default, this
 * machine alone; an empty one is none to QEMU (`-vnc :5`, libxl_dm.c), which then listens on all.
 */
export function toVnc(listen: string | undefined, password: string | undefined, display: number | undefined): Vnc {
  const both = /^([^:]+|\[.*\]):(\d+)$/.exec(listen ?? '')
  // 0 is where libxl begins to look for a free one
  const fixed = both ? Number(both[2]) || undefined : display
  return {
    listen: both?.[1] ?? listen ?? LOOPBACK,
    ...(password === undefined || password === '' ? {} : { password }),
    ...(fixed === undefined ? {} : { display: fixed }),
  }
}

/** QEMU takes an IPv6 address only with its display behind it, and xl then no display beside it. */
function placeOf({ listen, display }: Vnc): { listen: string; display?: number } {
  if (listen.includes(':')) return { listen: /\]$/.test(listen) ? `${listen}:${display ?? 0}` : listen }
  return { listen, ...(display === undefined ? {} : { display }) }
}

/** Words of a frame buffer that say what goes without saying. */
const VFB_DEFAULTS = ['type=vnc', 'vnc=1', 'sdl=0', 'opengl=0', 'vncunused=1']

function parseVfb(text: string): Vnc | undefined {
  const all = text.split(',').map((word) => word.trim())
  if (!all.includes('vnc=1') && !all.includes('type=vnc') && all.some((word) => /^(vnc|type)=/.test(word)))
    return undefined
  const words = all.filter((word) => word !== '' && !VFB_DEFAULTS.includes(word))
  const values = new Map(words.map((word) => [word.replace(/=.*$/s, ''), word.replace(/^[^=]*=/s, '')]))
  const known = ['vnclisten', 'vncpasswd', 'vncdisplay']
  const display = values.get('vncdisplay')
  if ([...values.keys()].some((key) => !known.includes(key)) || values.size !== words.length) return undefined
  if (display !== undefined && !/^\d+$/.test(display)) return undefined
  return toVnc(values.get('vnclisten'), values.get('vncpasswd'), display === undefined ? undefined : Number(display))
}

export function formatVnc(spec: VmSpec): string[] {
  const { vnc, type } = spec
  if (vnc === undefined) return type === 'hvm' ? ['vnc = 0'] : []
  const { listen, display } = placeOf(vnc)
  // a frame buffer's words end at commas; a PV guest can say it in other words, a PVH guest cannot
  if (type === 'pvh' || (type === 'pv' && !vnc.password?.includes(','))) {
    if (vnc.password?.includes(',')) throw new PengxError('invalid', 'a vnc password of a pvh guest has no comma')
    const password = vnc.password === undefined ? '' : `,vncpasswd=${vnc.password}`
    const fixed = display === undefined ? '' : `,vncdisplay=${display}`
    return [formatList('vfb', [`vnc=1,vnclisten=${listen}${password}${fixed}`])]
  }
  return [
    'vnc = 1',
    `vnclisten = ${quoteString(listen)}`,
    ...(vnc.password === undefined ? [] : [`vncpasswd = ${quoteString(vnc.password)}`]),
    ...(display === undefined ? [] : [`vncdisplay = ${display}`]),
  ]
}
