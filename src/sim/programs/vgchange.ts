/** lvm2's changes of whole volume groups on a simulated PM. */
import type { Program } from '../machine/program.ts'
import { fail, findVolume, lvmWords } from './lvmWords.ts'

/** Of a group; a tag that it has, or has not, is no failure. */
export const vgchange: Program = (call) => {
  const { values, words } = lvmWords(call.argv)
  for (const word of words) {
    const { group } = findVolume(call.pm, word)
    if (group === undefined) {
      call.err(`  Volume group "${word}" not found\n`)
      return fail(call, `Cannot process volume group ${word}`)
    }
    const [added, dropped] = [values.get('addtag'), values.get('deltag')]
    const tags = (group.tags ?? []).filter((tag) => tag !== added && tag !== dropped)
    group.tags = added === undefined ? tags : [...tags, added]
    if (!values.has('quiet')) call.out(`  Volume group "${word}" successfully changed\n`)
  }
  call.world.save()
  return 0
}
