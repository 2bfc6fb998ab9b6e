import type { Disk } from '../../../model/disk.ts'
import { type Drive, inListOrder, isDrive } from '../../../model/drive.ts'
import { PengxError } from '../../../model/error.ts'
import { isSame } from '../../../model/json.ts'
import type { Nic } from '../../../model/nic.ts'
import type { VmSpec } from '../../../model/vm.ts'
import { HEADER, parseConfig } from './config.ts'
import { formatDisk, formatDrive, parseDisk, toDiskSpec } from './disk.ts'
import { editDiskItem } from './diskWords.ts'
import { openEditor, type XlEditor } from './editor.ts'
import { editNicItem, formatNic } from './nic.ts'
import { createReader } from './reader.ts'
import { parseStatements } from './syntax.ts'

/**
 * A configuration as it lies on a PM, with one change: what differs between two specifications is changed in its place,
 * and every other byte stays. `before` is what the text says. Throws `invalid`, naming `source`, where the text says what
 * is to be changed in a way that cannot be edited safely, and where the result would not be read as it is meant.
 */
export function editConfig(text: string, before: VmSpec, after: VmSpec, source: string): string {
  const editor = openEditor(text, source)
  if (after.domainName !== before.domainName) editor.setValue('name', after.domainName)
  editPair(editor, before, after, source, ['memory', 'memoryMib'], ['maxmem', 'maxmemMib'])
  editPair(editor, before, after, source, ['vcpus', 'vcpuCount'], ['maxvcpus', 'maxVcpuCount'])
  editBoot(editor, text, before, after, source)
  editDisks(editor, before, after, source)
  editNics(editor, before, after)
  const written = editor.text.replace(HEADER, (line, name: string) =>
    after.name === before.name ? line : line.replace(name, () => after.name),
  )
  needMeant(text, written, before, after, source)
  return written
}

type Size = 'memoryMib' | 'maxmemMib' | 'vcpuCount' | 'maxVcpuCount'
type Numbered = readonly [key: string, field: Size]

/** Where one of two is not given it follows the other: it is written only where it has to differ. */
function editPair(
  editor: XlEditor,
  before: VmSpec,
  after: VmSpec,
  source: string,
  first: Numbered,
  second: Numbered,
): void {
  if ([first, second].every(([, field]) => after[field] === before[field])) return
  const isGiven = ([key]: Numbered) => parseStatements(editor.text, source).some((statement) => statement.key === key)
  const followed = isGiven(first) || !isGiven(second) ? [first, second] : [second, first]
  for (const [key, field] of [...followed, followed[0]!]) {
    // what is given counts as it stands: of a most that is below what is there xl makes nothing
    const given = createReader(parseStatements(editor.text, source), source).number(key)
    if ((given ?? parseConfig(editor.text, source).spec[field]) !== after[field]) editor.setValue(key, after[field])
  }
}

const BOOT_KEYS = [
  ['kernel', 'kernel'],
  ['ramdisk', 'ramdisk'],
  ['cmdline', 'cmdline'],
  ['bootloader', 'bootloader'],
  ['firmware', 'firmware'],
  ['boot', 'order'],
] as const

function editBoot(editor: XlEditor, text: string, before: VmSpec, after: VmSpec, source: string): void {
  for (const [key, field] of BOOT_KEYS) {
    const value = after.boot[field]
    if (value === before.boot[field]) continue
    if (value === undefined) throw new PengxError('invalid', `${source}: ${key} cannot be taken away: edit the file`)
    const isBios = key === 'firmware' && !/^\s*firmware\s*=/m.test(text) && /^\s*bios\s*=/m.test(text)
    editor.setValue(isBios ? 'bios' : key, value)
  }
}

type Listed = Disk | Drive

/** What is not a disk any more goes, what is another is changed word by word, what is new comes last. */
function editDisks(editor: XlEditor, before: VmSpec, after: VmSpec, source: string): void {
  const [had, wanted] = [inListOrder(before), inListOrder(after)]
  if (isSame(had as never, wanted as never)) return
  const vdevs = () => editor.items('disk').map((item) => parseDisk(item).vdev)
  const twice = vdevs().find((vdev, at, all) => all.indexOf(vdev) !== at)
  if (twice !== undefined) throw new PengxError('invalid', `${source}: two disks are ${twice}: take one away first`)
  for (const [at, vdev] of [...vdevs().entries()].reverse())
    if (!wanted.some((one) => one.vdev === vdev)) editor.removeItem('disk', at)
  for (const one of wanted) {
    const then = had.find(({ vdev }) => vdev === one.vdev)
    const at = vdevs().indexOf(one.vdev)
    if (at === -1) editor.insertItem('disk', itemOf(one))
    else if (then) editor.replaceItem('disk', at, changedItem(editor.items('disk')[at]!, then, one))
  }
}

const itemOf = (one: Listed) => (isDrive(one) ? formatDrive(one) : formatDisk(toDiskSpec(one)))

function changedItem(item: string, then: Listed, now: Listed): string {
  if (isDrive(now)) {
    if (!isDrive(then)) return itemOf(now)
    if (then.path === now.path) return item
    return editDiskItem(item, { path: now.path, format: now.path === '' ? 'empty' : 'raw' })
  }
  if (isDrive(then) || then.extra !== now.extra) return itemOf(now)
  const { path, format, readOnly, backend } = now
  if (backend === undefined && then.backend !== undefined) return itemOf(now)
  const to = {
    ...(path === then.path ? {} : { path }),
    ...(format === then.format ? {} : { format }),
    ...(readOnly === then.readOnly ? {} : { readOnly }),
    ...(backend === then.backend ? {} : { backend }),
  }
  return Object.keys(to).length === 0 ? item : editDiskItem(item, to)
}

/** An interface is known by its name, which is its place in the list. */
function editNics(editor: XlEditor, before: VmSpec, after: VmSpec): void {
  if (isSame(before.nics as never, after.nics as never)) return
  for (const [at, nic] of [...before.nics.entries()].reverse()) {
    const now = after.nics.find(({ name }) => name === nic.name)
    if (!now) editor.removeItem('vif', at)
    else {
      const item = editor.items('vif')[at]
      if (item !== undefined) editor.replaceItem('vif', at, changedNic(item, nic, now))
    }
  }
  for (const nic of after.nics)
    if (!before.nics.some(({ name }) => name === nic.name)) editor.insertItem('vif', formatNic(nic))
}

function changedNic(item: string, then: Nic, now: Nic): string {
  if (then.extra !== now.extra) return formatNic(now)
  const words = ['mac', 'bridge', 'ip', 'model'] as const
  const to = Object.fromEntries(words.flatMap((word) => (then[word] === now[word] ? [] : [[word, now[word] ?? '']])))
  return Object.keys(to).length === 0 ? item : editNicItem(item, to)
}

/** What was written is read again: it is what is meant, and what was not meant is as it was. */
function needMeant(text: string, written: string, before: VmSpec, after: VmSpec, source: string): void {
  const was = parseConfig(text, source).spec
  const is = parseConfig(written, source).spec
  const byVdev = (one: { readonly vdev: string }, other: { readonly vdev: string }) => (one.vdev < other.vdev ? -1 : 1)
  const told = (spec: VmSpec) => ({
    name: spec.domainName,
    memory: [spec.memoryMib, spec.maxmemMib],
    vcpus: [spec.vcpuCount, spec.maxVcpuCount],
    boot: spec.boot as never,
    disk: spec.disks
      .map(({ vdev, path, format, readOnly, backend = '', extra = '' }) => ({
        ...{ vdev, path, format, readOnly, backend },
        extra: extra.split(',').sort().join(','),
      }))
      .sort(byVdev),
    cdrom: spec.drives.map(({ vdev, path }) => ({ vdev, path })).sort(byVdev),
    vif: spec.nics.map(({ mac, bridge, model = '', extra = '' }) => ({ mac, bridge, model, extra })),
  })
  const [meant, read] = [told(after), told(is)]
  const wrong = (Object.keys(meant) as (keyof typeof meant)[]).find((key) => !isSame(meant[key], read[key]))
  const isOther = wrong === undefined && (is.type !== was.type || is.extraConfig !== was.extraConfig)
  if (wrong === undefined && !isOther && isSame((before.vnc ?? null) as never, (after.vnc ?? null) as never)) return
  const what = wrong ?? (isOther ? 'something else' : 'its display')
  throw new PengxError('invalid', `${source}: ${what} cannot be changed in it safely: edit the file by hand`)
}
