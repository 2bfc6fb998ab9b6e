/** The script that puts a claim in the place of another (tools/claims.ts): all of it is one turn here. */
import { findNode, isFsError, makeLink, unlink } from '../../machine/files.ts'
import type { Program } from '../../machine/program.ts'

export const swapClaim: Program = (call) => {
  const [path = '', before, after] = call.argv.slice(4)
  const next = `${path}.next`
  if (findNode(call.pm, next, false)) {
    call.err(`ln: failed to create symbolic link '${next}': File exists\n`)
    return 3
  }
  const there = findNode(call.pm, path, false)
  if (there?.kind !== 'link' || there.target !== before) return 4
  try {
    unlink(call.pm, path)
    if (after) makeLink(call.pm, path, after, call.now())
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`ln: failed to create symbolic link '${path}': ${error.message}\n`)
    return 1
  }
  call.world.save()
  return 0
}
