import { listOf } from './lines.ts'
import type { TreeReader } from './tree.ts'
import { type Said, takeWords, type Word } from './words.ts'

/** Lists of devices that pengx has no fields for, as xl.cfg(5) has them (tools/xl/xl_parse.c, libxlu_pci.c). */
interface DeviceList {
  readonly json: string
  readonly parameter: string
  /** One item, as it stands behind the `=` of the list. */
  item(from: TreeReader): string
}

const BACKEND: Word = ['backend_domname', 'backend']

const wordList = (json: string, parameter: string, words: readonly Word[]): DeviceList => ({
  json,
  parameter,
  item: (from) => listOfOne(takeWords(from, words).join(',')),
})

/** An item of a list, in quotes. */
const listOfOne = (text: string) => listOf([text]).slice(2, -2)

const ALL_FUNCTIONS = 0xffffffff

function sayPci(from: TreeReader): string {
  const name = from.peek('name')
  const words: string[] = []
  const hex = (key: string, digits: number) =>
    Number(from.peek(key) ?? 0)
      .toString(16)
      .padStart(digits, '0')
  const mask = from.peek('vfunc_mask')
  // the name is looked up at each start, and stands alone
  if (name === undefined) {
    const all = mask === ALL_FUNCTIONS
    const address = `${hex('domain', 4)}:${hex('bus', 2)}:${hex('dev', 2)}.${all ? '*' : hex('func', 1)}`
    const slot = from.peek('vdevfn')
    const inGuest = typeof slot === 'number' && slot % 8 === 0
    if (inGuest) from.take('vdevfn')
    words.push(inGuest ? `${address}@${(slot >> 3).toString(16)}` : address)
  }
  for (const key of ['domain', 'bus', 'dev', 'func']) from.take(key)
  if (mask === ALL_FUNCTIONS || mask === 1 || mask === undefined) from.take('vfunc_mask')
  words.push(
    ...takeWords(from, [
      ['msitranslate', 'msitranslate'],
      ['power_mgmt', 'power_mgmt'],
      ['permissive', 'permissive'],
      ['seize', 'seize'],
      ['rdm_policy', 'rdm_policy'],
      ['name', 'name'],
    ]),
  )
  return listOfOne(words.join(','))
}

function sayUsbDevice(from: TreeReader): string {
  const host = from.under('type.hostdev')
  const words = takeWords(host, [
    ['hostbus', 'hostbus'],
    ['hostaddr', 'hostaddr'],
  ])
  const where = takeWords(from, [
    ['ctrl', 'controller'],
    ['port', 'port'],
  ])
  return listOfOne(['type=hostdev', ...words, ...where].join(','))
}

function sayChannel(from: TreeReader): string {
  const words = takeWords(from, [BACKEND, ['name', 'name']])
  const connection = ['pty', 'socket'].find((one) => from.peek(`connection.${one}`) !== undefined)
  if (connection !== undefined) words.push(`connection=${connection}`)
  words.push(...takeWords(from.under('connection.socket'), [['path', 'path']]))
  return listOfOne(words.join(','))
}

function sayDisplay(from: TreeReader): string {
  const words = takeWords(from, [BACKEND, ['be_alloc', 'be-alloc']])
  const connectors = from
    .items('connectors')
    .map((one) => `${one.text('unique_id')}:${one.number('width') ?? 0}x${one.number('height') ?? 0}`)
  if (connectors.length > 0) words.push(`connectors=${connectors.join(';')}`)
  return listOfOne(words.join(','))
}

const several = (value: unknown) => (Array.isArray(value) ? value.join(';') : undefined)
const SOUND: readonly Word[] = [
  ['sample_rates', 'sample-rates', several],
  ['sample_formats', 'sample-formats', (value) => several(value)?.toLowerCase()],
  ['channels_min', 'channels-min'],
  ['channels_max', 'channels-max'],
  ['buffer_size', 'buffer-size'],
]

/** A card is a list itself: the card, and after each PCM device its streams. */
function saySound(from: TreeReader): string {
  const part = (kind: string, one: TreeReader, words: readonly Word[]) =>
    [kind, ...takeWords(one, words), ...takeWords(one.under('params'), SOUND)].join(',')
  const card = part('CARD', from, [BACKEND, ['short_name', 'short-name'], ['long_name', 'long-name']])
  const rest = from.items('pcms').flatMap((pcm) => [
    part('PCM', pcm, [['name', 'name']]),
    ...pcm.items('streams').map((stream) =>
      part('STREAM', stream, [
        ['unique_id', 'unique-id'],
        ['type', 'type', (value) => String(value).toUpperCase()],
      ]),
    ),
  ])
  return listOf([card, ...rest])
}

const LISTS: readonly DeviceList[] = [
  { json: 'pcidevs', parameter: 'pci', item: sayPci },
  { json: 'dtdevs', parameter: 'dtdev', item: (from) => listOfOne(from.text('path') ?? '') },
  wordList('usbctrls', 'usbctrl', [
    ['type', 'type'],
    ['version', 'version'],
    ['ports', 'ports'],
  ]),
  { json: 'usbdevs', parameter: 'usbdev', item: sayUsbDevice },
  wordList('vtpms', 'vtpm', [BACKEND, ['uuid', 'uuid']]),
  wordList('p9s', 'p9', [['tag', 'tag'], ['path', 'path'], ['security_model', 'security_model'], BACKEND]),
  wordList('pvcallsifs', 'pvcalls', [BACKEND]),
  { json: 'vdispls', parameter: 'vdispl', item: sayDisplay },
  { json: 'vsnds', parameter: 'vsnd', item: saySound },
  { json: 'channels', parameter: 'channel', item: sayChannel },
]

export function readDevices(config: TreeReader): Said[] {
  return LISTS.flatMap(({ json, parameter, item }) => {
    // libxl writes nothing of a USB device whose item has no `type=`
    const known = config.items(json).filter((from) => from.keys().length > 0)
    const items = known.map(item)
    return items.length === 0 ? [] : [{ parameter, text: `${parameter} = [ ${items.join(', ')} ]` }]
  })
}

const VKB: readonly Word[] = [
  BACKEND,
  ['backend_type', 'backend-type'],
  ['unique_id', 'unique-id'],
  ['feature_disable_keyboard', 'feature-disable-keyboard'],
  ['feature_disable_pointer', 'feature-disable-pointer'],
  ['feature_abs_pointer', 'feature-abs-pointer'],
  ['feature_raw_pointer', 'feature-raw-pointer'],
  ['feature_multi_touch', 'feature-multi-touch'],
  ['width', 'width'],
  ['height', 'height'],
  ['multi_touch_width', 'multi-touch-width'],
  ['multi_touch_height', 'multi-touch-height'],
  ['multi_touch_num_contacts', 'multi-touch-num-contacts'],
]

/** `brought`: how many keyboards came along with frame buffers, as the first. */
export function readKeyboards(config: TreeReader, brought: number): Said[] {
  const items = config.items('vkbs').flatMap((from, index) => {
    const words = takeWords(from, VKB)
    // libxl's own choice, which xl wants to be made
    const backend = from.peek('backend_type') === undefined ? ['backend-type=qemu'] : []
    return index < brought ? [] : [[...words, ...backend].join(',')]
  })
  return items.length === 0 ? [] : [{ parameter: 'vkb', text: `vkb = ${listOf(items)}` }]
}
