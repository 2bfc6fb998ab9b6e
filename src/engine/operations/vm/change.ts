import { PengxError } from '../../../model/error.ts'
import { isSame, type Json } from '../../../model/json.ts'
import { takenBack } from '../../../model/takenBack.ts'
import type { Vm } from '../../../model/vm.ts'
import type { ChangingStep, Context } from '../../jobs/operation.ts'
import type { View } from '../../store/view.ts'
import { editConfig } from '../../tools/xl/edit.ts'
import { redact, secretsOf } from '../../tools/xl/error.ts'
import { configText } from './configFile.ts'
import { configNow, configPathOf, takenIn } from './configNow.ts'
import { findDomain, lives, livingDomain, refuseState } from './domain.ts'
import { joinSecret, splitSecret, type VmSecrets } from './secrets.ts'

/**
 * A change of what a VM is configured to be goes to three places: its file, which is what it is started from, by whomever;
 * its row, which follows the file; and, while it runs, the domain (`xl config-update`), which the guest's own reboot counts
 * on. The file is read again first: what its owner has changed since is taken in.
 */
export interface ChangeFacts {
  readonly [key: string]: Json | undefined
  /** The row as it was. */
  readonly before: Vm & Json
  /** What the change starts from: the row, or, for a VM with a file of its owner's, what that says now. */
  readonly base: Vm & Json
  /** Passwords of the two, where they differ. */
  readonly secrets: VmSecrets
  /** The file that describes it, by a path through no link. Its text is among the secrets; none: it is not there. */
  readonly configPath: string
  /** It is its owner's. */
  readonly configForeign: boolean
  /** Its domain when the change was planned. */
  readonly domid: number | null
}

/** Why the configuration of a VM cannot be changed, whatever the change is, or undefined. */
export function refuseChange(vm: Vm, view: View): string | undefined {
  if (vm.origin === 'found') return 'it is not adopted: adopt it first'
  return refuseState(vm, view, ['running', 'paused', 'shutdown'], {
    crashed: 'power it off first',
    dying: 'wait until it is gone',
    starting: 'wait until it runs',
  })
}

/**
 * What a change of a VM starts from. Looks at its PM's domains and at its file (xl.cfg(5)); changes nothing. Throws
 * `notFound` for no such VM, `refused` where its domain is neither running nor paused nor gone, and as `configNow` and
 * `takenIn` do.
 */
export async function gatherChange(uuid: string, cx: Context): Promise<ChangeFacts> {
  const row = cx.view.needVm(uuid)
  const domain = await livingDomain(cx, row)
  const config = await configNow(cx, row)
  const base = config === undefined ? row : takenIn(cx, row, config)
  return {
    ...rowsApart(row, base, config?.text),
    configPath: config?.target ?? configPathOf(row),
    configForeign: row.configForeign,
    domid: domain?.domid ?? null,
  }
}

/** The two rows, and what must not be journalled of them: passwords, and the text of the file. */
export function rowsApart(row: Vm, base: Vm, config?: string): Pick<ChangeFacts, 'before' | 'base' | 'secrets'> {
  const old = splitSecret(row)
  const now = splitSecret(base)
  return {
    before: old.vm,
    base: now.vm,
    secrets: {
      ...now.secrets,
      ...(config === undefined ? {} : { config }),
      ...(old.secrets.vncPassword === now.secrets.vncPassword ? {} : { before: old.secrets.vncPassword ?? '' }),
    },
  }
}

/** A change of what a VM is configured to be, as a function of the row; done twice it must come to the same. */
export type Change = (vm: Vm) => Vm

function changed(facts: ChangeFacts, change: Change): Vm {
  return change(joinSecret(facts.base, facts.secrets))
}

function original(facts: ChangeFacts): Vm {
  const { before } = facts.secrets
  return joinSecret(facts.before, before === undefined ? facts.secrets : before === '' ? {} : { vncPassword: before })
}

/**
 * Writes the changed row into the store, with what was seen since; the undo writes the row as it was. `name` and `pivot`
 * are the step's.
 */
export function recordStep(
  facts: ChangeFacts,
  change: Change,
  more: { name?: string; pivot?: true } = {},
): ChangingStep {
  const put = async (cx: Context, vm: Vm) => {
    const { seen: all, bootedAt } = cx.view.needVm(vm.uuid)
    const { fileSays: _followed, ...seen } = all
    await cx.inventory.putVm({ ...vm, seen, ...(bootedAt === undefined ? {} : { bootedAt }) })
  }
  return {
    name: more.name ?? 'record',
    ...(more.pivot ? { pivot: true } : {}),
    async do(cx) {
      await put(cx, changed(facts, change))
      return null
    },
    async isApplied(cx) {
      return isSameRow(cx.view.needVm(facts.before.uuid), changed(facts, change)) || 'again'
    },
    undo: (cx) => put(cx, original(facts)),
  }
}

/** What a person has written down of a VM; what was seen of it, and the numbers of its interfaces, are the store's. */
export function isSameRow(one: Vm, other: Vm): boolean {
  const told = ({ seen: _seen, bootedAt: _bootedAt, nics, ...row }: Vm) => ({
    ...row,
    nics: nics.map(({ id: _id, ...nic }) => nic),
  })
  return isSame(told(one), told(other))
}

/** What the file says before the change (null: it is not there) and after it. */
function textsOf(facts: ChangeFacts, change: Change, cx: Context): { before: string | null; after: string } {
  const before = facts.secrets.config ?? null
  const base = joinSecret(facts.base, facts.secrets)
  const after = change(base)
  const text =
    before === null ? cx.hypervisor.formatConfig(after.uuid, after) : editConfig(before, base, after, facts.configPath)
  return { before, after: text }
}

/**
 * Changes the file that describes the VM, in its place, and gives it to the running domain for its next reboot
 * (`xl config-update`, xl(1)). Throws `invalid`, before anything is done, where the file says what is to be changed in
 * a way that cannot be edited safely. What its owner changes at the same time is never overwritten: the step fails then.
 * The undo brings the very bytes back; where its owner has changed the file since, it takes the change back alone.
 */
export function configStep(facts: ChangeFacts, change: Change): ChangingStep {
  const { uuid, pm } = facts.before
  const { configPath: path } = facts
  const lines = editedLines(facts, change)
  const write = async (cx: Context, before: string | null, after: string) => {
    const host = cx.host(pm)
    if (before === null || !facts.configForeign) await cx.hypervisor.writeConfig(host, path, after, cx.tag)
    else await cx.hypervisor.replaceConfig(host, path, { before, after }, cx.tag)
  }
  const tell = async (cx: Context, text: string) => {
    const domain = facts.domid === null ? undefined : await findDomain(cx, { uuid, pm })
    if (lives(domain))
      await cx.hypervisor.updateConfig(cx.host(pm), domain.domid, { path, uuid, secrets: secretsOf(text) }, cx.tag)
  }
  return {
    name: 'write the configuration',
    onward: true,
    shows: [`write ${path}`, ...lines, ...(facts.domid === null ? [] : [`xl config-update ${facts.domid} ${path}`])],
    async do(cx) {
      const { before, after } = textsOf(facts, change, cx)
      const now = await configText(cx, pm, path)
      if (now !== after) {
        if (now !== before) throw changedMeanwhile(path)
        await write(cx, before, after)
      }
      await tell(cx, after)
      return null
    },
    /** Of what a domain was told for its next reboot the file says nothing: it is told again. */
    async isApplied(cx) {
      if ((await configText(cx, pm, path)) !== textsOf(facts, change, cx).after) return false
      return (await findDomain(cx, { uuid, pm })) === undefined || 'again'
    },
    async undo(cx) {
      const { before, after } = textsOf(facts, change, cx)
      const now = await configText(cx, pm, path)
      const host = cx.host(pm)
      if (now === after && before === null) return await cx.hypervisor.removeConfig(host, path, cx.tag)
      if (now === after) await write(cx, now, before!)
      else if (now !== before && now !== null) {
        const base = joinSecret(facts.base, facts.secrets)
        const { spec } = await cx.hypervisor.readConfig(host, path)
        await write(cx, now, editConfig(now, spec, takenBack(spec, change(base), base), path))
      }
      if (before !== null && facts.configForeign) await cx.hypervisor.forgetOriginal(host, path, before, cx.tag)
      await cx.hypervisor.removeConfigDraft(host, path, cx.tag)
      if (now !== null) await tell(cx, now)
    },
  }
}

/** What becomes of the lines of a file that is there: `- memory = 512`, `+ memory = 1024`. */
function editedLines(facts: ChangeFacts, change: Change): string[] {
  const { config } = facts.secrets
  if (config === undefined) return []
  const base = joinSecret(facts.base, facts.secrets)
  const edited = editConfig(config, base, change(base), facts.configPath)
  const [before, after] = [config.split('\n'), edited.split('\n')]
  const isOther = (lines: readonly string[]) => (line: string, at: number) => line !== lines[at]
  const others =
    before.length === after.length
      ? [before.filter(isOther(after)), after.filter(isOther(before))]
      : [between(before, after), between(after, before)]
  const secrets = [...secretsOf(config), ...secretsOf(edited)]
  const shown = (sign: string, lines: readonly string[]) =>
    lines.map((line) => `${sign} ${redact(line, secrets).trim()}`)
  return [...shown('-', others[0]!), ...shown('+', others[1]!)]
}

/** Lines between those with which both begin and those with which both end. */
function between(lines: readonly string[], others: readonly string[]): readonly string[] {
  const most = Math.min(lines.length, others.length)
  let begin = 0
  while (begin < most && lines[begin] === others[begin]) begin++
  let end = 0
  while (end < most - begin && lines.at(-1 - end) === others.at(-1 - end)) end++
  return lines.slice(begin, lines.length - end)
}

function changedMeanwhile(path: string): PengxError {
  return new PengxError('conflict', `${path} was changed by somebody else meanwhile, and stays as it is: try again`)
}
