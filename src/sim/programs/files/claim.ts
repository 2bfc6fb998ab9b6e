/** The script that reads and writes claims on files (tools/claims.ts): all of it is one turn here. */
import { findNode, isFsError, locate, makeLink, unlink } from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'

export const claim: Program = (call) => {
  const [mode = '', path = '', before = '', after = ''] = call.argv.slice(4)
  try {
    const file = realPathOf(call, path)
    const exit = act(call, mode, { file, link: `${file}.claim`, before, after })
    call.world.save()
    return exit
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`ln: failed to create symbolic link '${path}.claim': ${error.message}\n`)
    return 1
  }
}

/** A path whose directory is not there is what it is. */
function realPathOf(call: Call, path: string): string {
  try {
    return locate(call.pm, path, true).path
  } catch (error) {
    if (!isFsError(error)) throw error
    return path
  }
}

interface Asked {
  readonly file: string
  readonly link: string
  readonly before: string
  readonly after: string
}

function act(call: Call, mode: string, { file, link, before, after }: Asked): number {
  const there = findNode(call.pm, link, false)
  const next = `${link}.next`
  const remove = (path: string) => {
    if (findNode(call.pm, path, false)) unlink(call.pm, path)
  }
  if (mode === 'read') {
    if (there?.kind !== 'link') return 1
    call.out(`${there.target}\n`)
    return 0
  }
  if (mode === 'make') {
    if (!findNode(call.pm, file)) {
      call.err(`${file} is not there\n`)
      return 1
    }
    if (there) return exists(call, link, 1)
    makeLink(call.pm, link, before, call.now())
    return 0
  }
  if (mode === 'swap') {
    if (findNode(call.pm, next, false)) return exists(call, next, 3)
    if (there?.kind !== 'link' || there.target !== before) return 4
    unlink(call.pm, link)
    if (after) makeLink(call.pm, link, after, call.now())
    return 0
  }
  if (mode === 'clear') remove(next)
  else if (!findNode(call.pm, file)) for (const path of [link, next]) remove(path)
  return 0
}

function exists(call: Call, path: string, exit: number): number {
  call.err(`ln: failed to create symbolic link '${path}': File exists\n`)
  return exit
}
