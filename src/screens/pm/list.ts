import type { View } from '../../engine/store/view.ts'
import { formatAge } from '../../lib/age.ts'
import { formatGib, formatMbit } from '../../lib/bytes.ts'
import { getOrMake } from '../../lib/getOrMake.ts'
import { naturalKey } from '../../lib/text.ts'
import type { Pm } from '../../model/pm.ts'
import { hasDomain } from '../../model/vm.ts'
import { resample, sparkline } from '../../ui/graph.ts'
import { line, span } from '../../ui/line.ts'
import { shareBar } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import type { ListDef } from '../app/list.ts'
import { destinationText, memoryShare, pmStatus, shareTone } from '../words.ts'

/** The columns of PMs, and what a filter finds in them. */

const SPARK = 14
const SPARK_MS = 30 * 60_000

interface Load {
  vms: number
  vcpus: number
}

const loads = new WeakMap<object, Map<string, Load>>()

/** VMs and running VCPUs by PM, counted once for each state of the list. */
function loadOf(view: View, pm: string): Load {
  const vms = view.vms()
  const byPm = getOrMake(loads, vms, () => {
    const counted = new Map<string, Load>()
    for (const vm of vms) {
      const load = getOrMake(counted, vm.pm, () => ({ vms: 0, vcpus: 0 }))
      load.vms++
      if (hasDomain(vm.seen.state)) load.vcpus += vm.seen.vcpuCount ?? vm.vcpuCount
    }
    return counted
  })
  return byPm.get(pm) ?? { vms: 0, vcpus: 0 }
}

function cpuSpark(app: AppContext, pm: Pm): string {
  const now = app.now()
  const samples = app
    .view()
    .history(pm.uuid)
    .map(({ at, cpuPercent }) => ({ at, value: cpuPercent }))
  const values = resample(samples, now - SPARK_MS, now, SPARK, 'mean')
  return sparkline(
    values.map((value) => (value === undefined ? undefined : value / 100)),
    app.options.theme.graph,
  )
}

const up = (pm: Pm) => pm.seen.reach === 'up'

export const pmList: ListDef<Pm> = {
  name: 'pms',
  sort: { column: 'name', down: false },
  empty: 'no machine yet: N adds one',
  columns: [
    {
      name: 'name',
      title: 'NAME',
      width: 10,
      grow: 24,
      tail: true,
      kind: 'text',
      cell: (pm) => (pm.readOnly ? line(pm.name, span(' [RO]', 'warn')) : pm.name),
      sort: (pm) => naturalKey(pm.name),
    },
    { name: 'status', title: 'STATUS', width: 14, kind: 'text', cell: pmStatus, sort: (pm) => pmStatus(pm).text },
    {
      name: 'vms',
      title: 'VMS',
      width: 4,
      kind: 'number',
      cell: (pm, app) => String(loadOf(app.view(), pm.uuid).vms),
      sort: (pm, app) => loadOf(app.view(), pm.uuid).vms,
      live: true,
    },
    {
      name: 'cpus',
      title: 'CPU',
      width: 6,
      kind: 'number',
      drop: 3,
      cell: (pm, app) => `${up(pm) ? loadOf(app.view(), pm.uuid).vcpus : '–'}/${pm.cpuCount || '–'}`,
      sort: (pm) => pm.cpuCount,
    },
    { name: 'last', title: 'LAST 30 min', width: SPARK, kind: 'text', drop: 5, cell: (pm, app) => cpuSpark(app, pm) },
    {
      name: 'cpu',
      title: 'CPU%',
      width: 5,
      kind: 'number',
      cell: (pm, app) => numberOr(up(pm) ? app.view().rates(pm.uuid)?.cpuPercent : undefined),
      sort: (pm, app) => app.view().rates(pm.uuid)?.cpuPercent,
      live: true,
    },
    {
      name: 'memory',
      title: 'MEMORY GiB',
      width: 12,
      kind: 'size',
      drop: 1,
      cell: (pm) =>
        `${up(pm) && pm.seen.freeMib !== undefined ? formatGib(pm.memoryMib - pm.seen.freeMib) : '–'}/${formatGib(pm.memoryMib)}`,
      sort: (pm) => pm.memoryMib,
    },
    {
      name: 'bar',
      title: '',
      width: 10,
      kind: 'text',
      drop: 6,
      cell: (pm) => shareBar(up(pm) ? memoryShare(pm) : undefined),
    },
    {
      name: 'mem',
      title: 'MEM%',
      width: 5,
      kind: 'number',
      cell: (pm) => {
        const share = up(pm) ? memoryShare(pm) : undefined
        return share === undefined ? '–' : span(String(Math.round(share * 100)), shareTone(share))
      },
      sort: memoryShare,
    },
    {
      name: 'net',
      title: 'RX/TX Mb/s',
      width: 10,
      kind: 'number',
      drop: 2,
      cell: (pm, app) => {
        const rates = up(pm) ? app.view().rates(pm.uuid) : undefined
        if (rates?.rxBytes === undefined || rates.txBytes === undefined) return '–'
        return `${formatMbit(rates.rxBytes)}/${formatMbit(rates.txBytes)}`
      },
      sort: (pm, app) => app.view().rates(pm.uuid)?.rxBytes,
      live: true,
    },
    {
      name: 'up',
      title: 'UP',
      width: 4,
      kind: 'age',
      drop: 4,
      cell: (pm, app) => (up(pm) && pm.seen.bootedAt ? formatAge(app.now() - pm.seen.bootedAt) : '–'),
      sort: (pm) => (pm.seen.bootedAt === undefined ? undefined : -pm.seen.bootedAt),
    },
    {
      name: 'xen',
      title: 'XEN',
      width: 6,
      kind: 'text',
      drop: 7,
      cell: (pm) => pm.seen.xenVersion ?? '–',
      sort: (pm) => pm.seen.xenVersion,
    },
    {
      name: 'destination',
      title: 'ADDRESS',
      width: 22,
      kind: 'text',
      wide: true,
      drop: 8,
      cell: (pm) => destinationText(pm.destination),
      sort: (pm) => pm.destination,
    },
    {
      name: 'kernel',
      title: 'KERNEL',
      width: 18,
      kind: 'text',
      wide: true,
      drop: 9,
      cell: (pm) => pm.seen.kernel ?? '–',
      sort: (pm) => pm.seen.kernel,
    },
    {
      name: 'load',
      title: 'LOAD',
      width: 6,
      kind: 'number',
      wide: true,
      drop: 10,
      cell: (pm) => pm.seen.load?.toFixed(2) ?? '–',
      sort: (pm) => pm.seen.load,
    },
  ],
  rows: (app) => app.view().pms(),
  id: (pm) => pm.uuid,
  subject: (pm) => ({ kind: 'pm', id: pm.uuid, name: pm.name }),
  words: (pm) => `${pm.name} ${pm.destination} ${pmStatus(pm).text} ${pm.seen.xenVersion ?? ''} ${pm.uuid}`,
  filters: {
    status: (pm) => pmStatus(pm).text,
    name: (pm) => pm.name,
    xen: (pm) => pm.seen.xenVersion ?? '',
  },
  copies: (pm) => [
    ['uuid', pm.uuid],
    ['name', pm.name],
    ['destination', pm.destination],
  ],
}

function numberOr(value: number | undefined): string {
  return value === undefined ? '–' : String(Math.round(value))
}
