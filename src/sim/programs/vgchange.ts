/** lvm2's changes of whole volume groups on a simulated PM, and its looks for them. */
import { rescan } from '../machine/groups.ts'
import type { Program } from '../machine/program.ts'
import { all, fail, findVolume, lvmWords } from './lvmWords.ts'

/** Of a group; a tag that it has, or has not, is no failure. */
export const vgchange: Program = (call) => {
  const { values, words } = lvmWords(call.argv)
  for (const word of words) {
    const { group } = findVolume(call.pm, word)
    if (group === undefined) {
      call.err(`  Volume group "${word}" not found\n`)
      return fail(call, `Cannot process volume group ${word}`)
    }
    const [added, dropped] = [all(call, '--addtag'), all(call, '--deltag')]
    group.tags = [...new Set([...(group.tags ?? []).filter((tag) => !dropped.includes(tag)), ...added])]
    if (!values.has('quiet')) call.out(`  Volume group "${word}" successfully changed\n`)
  }
  call.world.save()
  return 0
}

/** With `--cache` all disks are looked at anew; what it says of each does not matter. */
export const pvscan: Program = (call) => {
  if (call.argv.includes('--cache')) rescan(call.pm)
  call.out(`  pvscan[1] PV /dev/sdd online.\n`)
  return 0
}
