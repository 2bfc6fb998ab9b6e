import { formatAge, formatDate } from '../../lib/age.ts'
import { formatMib } from '../../lib/bytes.ts'
import { padCells } from '../../lib/text.ts'
import type { Template } from '../../model/template.ts'
import { type Line, line, span } from '../../ui/line.ts'
import { facts } from '../../ui/panel.ts'
import { pmName } from '../app/columns.ts'
import type { AppContext } from '../app/context.ts'
import { lastJobs, notNow } from '../ask/subjectLines.ts'
import type { KeyRow } from '../screen.ts'
import { signSpan, vmSign } from '../words.ts'
import { templateLock, templateStatus, upkeepOf, vmsOfTemplate } from './list.ts'

/** One template in a pane: what it is, its disks, what depends on it, and what cannot be done with it now and why. */
export function templatePane(app: AppContext, template: Template, keys: readonly KeyRow[], width: number): Line[] {
  const subject = { kind: 'template', id: template.uuid, name: template.name } as const
  return [
    line(' ', templateStatus(template, app), '  ', templateLock(template, app)),
    [],
    ...factsOf(app, template),
    ...disks(app, template),
    ...vms(app, template, width),
    ...lastJobs(app, template.uuid),
    ...notNow(app, subject, keys, width),
  ]
}

function factsOf(app: AppContext, template: Template): Line[] {
  const { uuid, os, osArch, type, boot, createdAt, bootedAt, desc } = template
  const upkeep = upkeepOf(template, app)
  const start = [boot.kernel ?? boot.bootloader ?? boot.firmware].filter(Boolean).join(', ')
  return facts(
    [
      ['uuid', uuid],
      ['os', `${os}, ${osArch}`],
      ['PM', pmName(template, app)],
      ['type', `${type.toUpperCase()}${start ? `, ${start}` : ''}`],
      ['made', formatDate(createdAt)],
      ['booted', bootedAt === undefined ? 'never' : `${formatDate(bootedAt)} (${formatAge(app.now() - bootedAt)})`],
      upkeep ? ['upkeep', `as VM ${upkeep.name}`] : undefined,
      desc ? ['note', desc] : undefined,
    ],
    8,
  )
}

function disks(app: AppContext, template: Template): Line[] {
  const lines = template.disks.map(({ format, sizeMib, storlink }, index) => {
    const where = `${storlink} ${app.view().getStorlink(storlink)?.name ?? '?'}`
    return line(`  ${String(index + 1).padEnd(3)} ${formatMib(sizeMib).padEnd(9)} ${format.padEnd(5)} ${where}`)
  })
  const paths = template.disks.map(({ path }) => line(span(`      ${path}`, 'dim')))
  return [[], line(span(' Disks', 'strong')), ...lines.flatMap((one, index) => [one, paths[index]!])]
}

const MOST = 200

/** Those that lie on it stand first: they would read what is changed in it. */
function vms(app: AppContext, template: Template, width: number): Line[] {
  const { made, dependents } = vmsOfTemplate(template, app)
  const copied = made.filter((vm) => !dependents.includes(vm))
  const rows = [...dependents.map((vm) => ({ vm, how: 'lies on it' })), ...copied.map((vm) => ({ vm, how: 'copied' }))]
  const heading = line(span(` VMs made from it (${rows.length})`, 'strong'))
  if (rows.length === 0) return [[], heading, line(span('  none', 'dim'))]
  const name = Math.max(width - 32, 10)
  const lines = rows.slice(0, MOST).map(({ vm, how }) => {
    return line(`  ${padCells(vm.name, name)} `, signSpan(vmSign(vm)), span(`  ${how}`, 'dim'))
  })
  return [[], heading, ...lines]
}
