import { LINES, type Line } from './lines.ts'

/** A value of a running domain's configuration that no text of xl.cfg(5) says: a start from a file goes without it. */
export interface Lost {
  /** Where it is in libxl's JSON. */
  readonly key: string
  /** A password is three asterisks. */
  readonly value: string
  /** The parameter that would say it, where there is one that says something of the kind. */
  readonly parameter?: string
}

/** What becomes of that of a domain's configuration for which pengx has no fields. */
export interface Kept {
  /** Parameters of xl.cfg(5) that are written back, each once. */
  readonly kept: readonly string[]
  readonly lost: readonly Lost[]
}

const any = () => true
const is = (standard: unknown) => (value: unknown) => value === standard

/**
 * What libxl writes there by itself (libxl_create.c, libxl_internal.c, and transcripts), or xl from its own settings on
 * each start: /etc/xen/xl.conf decides about claims, hotplug scripts and the device of a boot loader.
 */
const DEFAULTS: readonly (readonly [RegExp, (value: unknown) => boolean])[] = [
  [/^c_info\.(domid|run_hotplug_scripts)$/, any],
  [/^c_info\.(poolid|ssidref)$/, is(0)],
  // of xl.conf(5), or computed from the memory's size
  [/^b_info\.(claim_mode|blkdev_start|iommu_memkb|type)$/, any],
  [/^b_info\.sched_params\.sched$/, any],
  [/^b_info\.sched_params\.budget$/, is(4000)],
  [/^b_info\.type\.hvm\.rdm\.strategy$/, is('ignore')],
  [/^b_info\.type\.pv\.slack_memkb$/, is(0)],
  [/^rdms\b/, any],
  [/^disks\.\d+\.colo_(restore_)?enable$/, is('False')],
  // libxl's own, for a virtio disk
  [/^disks\.\d+\.(transport|irq|base)$/, any],
  [/^disks\.\d+\.removable$/, is(0)],
  [/^\w+\.\d+\.devid$/, any],
  [/^\w+\.\d+\.backend_domid$/, is(0)],
]

const LISTS: Readonly<Record<string, string>> = {
  disks: 'disk',
  nics: 'vif',
  pcidevs: 'pci',
  vfbs: 'vfb',
  vkbs: 'vkb',
  usbctrls: 'usbctrl',
  usbdevs: 'usbdev',
  vtpms: 'vtpm',
  p9s: 'p9',
  pvcallsifs: 'pvcalls',
  vdispls: 'vdispl',
  vsnds: 'vsnd',
  channels: 'channel',
}

const ROOTS: Readonly<Record<Line['under'], RegExp>> = {
  config: /^/,
  create: /^c_info\./,
  build: /^b_info\./,
  own: /^b_info\.type\.\w+\./,
  sched: /^b_info\.sched_params\./,
  x86: /^b_info\.arch_x86\./,
  arm: /^b_info\.arch_arm\./,
}

/** Of what nobody has read, what is lost. */
export function lostOf(left: readonly [string, unknown][], hasName: (item: string) => boolean): Lost[] {
  return left.flatMap(([key, value]) => {
    if (DEFAULTS.some(([pattern, isDefault]) => pattern.test(key) && isDefault(value))) return []
    // found anew by the name of the backend's domain, which is written back
    if (key.endsWith('.backend_domid') && hasName(key.slice(0, -'.backend_domid'.length))) return []
    const parameter = parameterOf(key)
    return [{ key, value: textOf(key, value), ...(parameter === undefined ? {} : { parameter }) }]
  })
}

function textOf(key: string, value: unknown): string {
  if (/passw(or)?d$/.test(key)) return '***'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function parameterOf(key: string): string | undefined {
  const list = LISTS[key.slice(0, Math.max(0, key.indexOf('.')))]
  if (list !== undefined) return list
  if (key.startsWith('b_info.cpuid')) return 'cpuid'
  if (key.startsWith('b_info.vnuma_nodes')) return 'vnuma'
  if (key === 'b_info.avail_vcpus') return 'vcpus'
  if (/\.rdm\.\w+$/.test(key)) return 'rdm'
  return LINES.find(({ under, json }) => {
    const root = ROOTS[under].exec(key)?.[0]
    return root !== undefined && key.slice(root.length) === json
  })?.parameter
}

/** What is kept and what is lost, for who is to decide about it: each on a line of its own. */
export function lossLines({ kept, lost }: Kept): string[] {
  return [
    ...kept.map((parameter) => `kept as it is, not interpreted: ${parameter}`),
    ...lost.map(({ key, value, parameter }) => {
      const where = parameter === undefined ? 'xl.cfg(5) has no word for it' : `of ${parameter}`
      return `LOST: ${key} = ${value} (${where})`
    }),
  ]
}
