// The VM under which pengx is killed: its guest writes numbered blocks to xvda and xvdb without an end (gmode=prove), and
// says on its console what it has written, and what it found amiss.
import { expect } from 'bun:test'
import { consoleMark, consoleText } from '../machine/console.ts'
import { guestCmdline } from '../machine/guest.ts'
import { type LabHost, run, sh } from '../machine/ssh.ts'
import { type Pengx, perform } from '../pengx.ts'

export interface Victim {
  readonly host: LabHost
  readonly pengx: Pengx
  readonly name: string
  readonly uuid: string
  /** Its storlink, and the directory of that. */
  readonly storlink: string
  readonly link: string
}

/** Makes its storlink and the VM, which is shut down; whatever had that name before is gone. */
export async function createVictim(host: LabHost, pengx: Pengx, name: string): Promise<Victim> {
  const link = `/${name}`
  await run(host, ['xl', 'destroy', name])
  await sh(host, `rm -rf ${link} && mkdir ${link}`)
  await perform(pengx, 'storlink.create', name, '--link', link, '--type', 'LO', '--level', 'FL')
  const boot = [
    '--kernel',
    '/lab/guest/vmlinux',
    '--ramdisk',
    '/lab/guest/initrd',
    '--cmdline',
    guestCmdline(name, 'prove'),
  ]
  const size = ['--type', 'pv', '--memory', '96', '--disk-size', '9', '--extra-disk-size', '9']
  const made = await perform(pengx, 'vm.create', name, '--storlink', name, ...size, ...boot)
  return { host, pengx, name, uuid: (made.result as { uuid: string }).uuid, storlink: name, link }
}

/** Takes all of it away; nothing may be left. */
export async function deleteVictim({ host, pengx, name, storlink, link }: Victim): Promise<void> {
  await perform(pengx, 'vm.poweroff', name)
  await perform(pengx, 'vm.delete', name)
  await perform(pengx, 'storlink.delete', storlink)
  expect(await sh(host, `ls ${link}`)).toBe('')
}

export interface Told {
  /** What it began again with, each time that it began. */
  readonly resumed: readonly number[]
  /** The last number that was on both disks, or what was so before. */
  readonly last: number
  /** The highest of all, which a restore goes back from. */
  readonly highest: number
  /** Up to where its console was read: `last` is of that moment. */
  readonly mark: number
  /** Seconds that one number took at most, where it took longer than any before. */
  readonly longestS: number
  /** It was asked to shut down or to reboot, and does. */
  readonly hasLeft: boolean
}

export type Since = Pick<Told, 'mark' | 'last'>

/**
 * What the guest has told since a mark, at which `last` was its last number: one number after the other, at each start from
 * where it had been, or from `restored` at the last one. Anything else throws.
 */
async function tellings({ host, name }: Victim, { mark, last }: Since, restored?: number): Promise<Told> {
  const text = await consoleText(host, name, mark)
  // The last line may not be whole yet.
  const whole = text.slice(0, text.lastIndexOf('\n') + 1)
  const lines = whole.replaceAll('\r', '').split('\n')
  const told = { resumed: [] as number[], last, highest: last, longestS: 0, hasLeft: false }
  const starts = lines.filter((line) => line.startsWith('RESUME ')).length
  for (const line of lines) {
    const [word, first, ...rest] = line.split(' ')
    if (word === 'BYE') told.hasLeft = true
    else if (word === 'LONGEST') told.longestS = Math.max(told.longestS, Number(first))
    else if (word === 'RESUME') {
      told.resumed.push(Number(first))
      const isRestored = restored !== undefined && told.resumed.length === starts
      // What is on both disks may not have been told yet.
      const allowed = isRestored ? [restored] : [told.last, told.last + 1]
      if (!allowed.includes(Number(first)))
        throw new Error(`${name} has ${first} on its disks at its start, and not ${allowed.join(' or ')}`)
      told.last = Number(first)
    } else if (word === 'COUNT') {
      if (rest.length > 0 || Number(first) !== told.last + 1) throw new Error(`${name}, after ${told.last}: ${line}`)
      told.last += 1
    }
    told.highest = Math.max(told.highest, told.last)
  }
  return { ...told, mark: mark + Buffer.byteLength(whole) }
}

/** Waits until the guest has written two more numbers than by now, one of them from beginning to end; first until it has begun again. */
export async function goesOn(
  victim: Victim,
  since: Since,
  { begun = false, restored }: { readonly begun?: boolean; readonly restored?: number | undefined } = {},
): Promise<Told> {
  const until = Date.now() + 240_000
  let goal: number | undefined
  for (;;) {
    const told = await tellings(victim, since, restored)
    if (!begun || told.resumed.length > 0) goal ??= told.last + 2
    if (goal !== undefined && told.last >= goal) return told
    if (Date.now() > until)
      throw new Error(`${victim.name} does not go on: it is at ${told.last}, and was at ${since.last}`)
    await Bun.sleep(1000)
  }
}

/**
 * A reboot may have been asked for by what was cut off, and come later, and may not. Waits until one or the other is so; gives
 * whether the guest has begun again.
 */
export async function rebootsOrNot(victim: Victim, since: Since): Promise<boolean> {
  const { host, uuid } = victim
  const until = Date.now() + 240_000
  // Bracketed, since this script is a process too.
  const asked = `
    domid=$(xl list -v | awk '/ ${uuid} /{ print $2 }')
    [ -n "$domid" ] && [ -z "$(xenstore-read /local/domain/$domid/control/shutdown)" ] && ! pgrep -f 'xl reboo[t]' >/dev/null && echo no || echo yes`
  for (;;) {
    // In this order: what is not asked for any more by now is told by now.
    const isAsked = (await sh(host, asked)).trim() !== 'no'
    const told = await tellings(victim, since)
    if (told.resumed.length > 0) return true
    if (!isAsked && !told.hasLeft) return false
    if (Date.now() > until) throw new Error(`${victim.name} was asked to reboot, and does not come back`)
    await Bun.sleep(1000)
  }
}

export const markOf = ({ host, name }: Victim): Promise<number> => consoleMark(host, name)
