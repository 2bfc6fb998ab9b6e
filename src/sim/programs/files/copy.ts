/** Programs that copy, move and link files: dd, cp, mv, ln, install. */
import {
  copyFile,
  findNode,
  fsError,
  joinPath,
  locate,
  makeDirs,
  makeLink,
  needNode,
  rename,
  splitPath,
  unlink,
  writeText,
} from '../../machine/files.ts'
import type { Call, Program } from '../../machine/program.ts'
import { readPath } from './read.ts'
import { attempt, parse, writeInto } from './words.ts'

/**
 * dd(1) with `if=`, `of=`, and `skip=` and `count=` in bytes. What is written begins the file: an image here is its
 * header, which is one piece.
 */
export const dd: Program = async (call) => {
  const words = new Map(call.argv.slice(1).map((word) => [word.split('=')[0], word.slice(word.indexOf('=') + 1)]))
  const from = words.get('if')
  const to = words.get('of')
  const skip = Number(words.get('skip') ?? 0)
  const count = Number(words.get('count') ?? Number.POSITIVE_INFINITY)
  const read = from === undefined ? { text: await call.stdin() } : readPath(call, from)
  if ('problem' in read) {
    call.err(`dd: failed to open '${from}': ${read.problem}\n`)
    return 1
  }
  if (to === undefined) call.out(read.text.slice(skip, skip + count))
  else {
    const node = findNode(call.pm, to)
    const known = node?.kind === 'file' || node?.kind === 'block'
    const exit = attempt(call, known ? `error writing '${to}'` : `failed to open '${to}'`, () => {
      if (node === undefined && words.get('conv')?.split(',').includes('nocreat')) throw fsError('ENOENT')
      writeInto(call, to, read.text)
    })
    if (exit) return exit
  }
  if (words.get('status') !== 'none') call.err(`${read.text.length} bytes copied\n`)
  return 0
}

/** Where a file goes: into a directory under its own name, or to the very path. */
function targetOf(call: Call, source: string, target: string, exact: boolean): string {
  const node = findNode(call.pm, target)
  return !exact && node?.kind === 'dir' ? joinPath(target.replace(/\/+$/, ''), splitPath(source).at(-1) ?? '') : target
}

export const cp: Program = async (call) => {
  const { letters, words } = parse(call, 't')
  const target = words.pop() ?? ''
  let exit = 0
  for (const source of words) {
    const node = findNode(call.pm, source)
    const to = targetOf(call, source, target, letters.includes('T'))
    if (call.argv.includes('--attributes-only')) {
      exit = copyAttributes(call, source, to) || exit
    } else if (source === '/dev/stdin') {
      const text = await call.stdin()
      exit = attempt(call, `cannot create regular file '${to}'`, () => writeInto(call, to, text)) || exit
    } else if (node === undefined) {
      call.err(`cp: cannot stat '${source}': No such file or directory\n`)
      exit = 1
    } else if (node.kind === 'dir') {
      if (!/[raR]/.test(letters)) {
        call.err(`cp: -r not specified; omitting directory '${source}'\n`)
        exit = 1
      } else exit = copyDir(call, source, to) || exit
    } else if (!letters.includes('n') || findNode(call.pm, to) === undefined) {
      const millisecondsPerGib = 60
      if (node.kind === 'file') await call.pass((node.allocated / 1073741824) * millisecondsPerGib)
      exit =
        attempt(
          call,
          findNode(call.pm, to) || hasParent(call, to) ? `error writing '${to}'` : `cannot create regular file '${to}'`,
          () => copyFile(call.pm, source, to, call.now()),
        ) || exit
    }
  }
  call.world.save()
  return exit
}

/** Mode and owner; what is in the file stays. */
function copyAttributes(call: Call, source: string, target: string): number {
  return attempt(call, `cannot stat '${source}'`, () => {
    needNode(call.pm, target).mode = needNode(call.pm, source).mode
  })
}

function hasParent(call: Call, path: string): boolean {
  return findNode(call.pm, `/${splitPath(path).slice(0, -1).join('/')}`)?.kind === 'dir'
}

function copyDir(call: Call, source: string, target: string): number {
  const node = needNode(call.pm, source)
  if (node.kind !== 'dir')
    return attempt(call, `error writing '${target}'`, () => copyFile(call.pm, source, target, call.now()))
  makeDirs(call.pm, target, call.now(), node.mode)
  let exit = 0
  for (const name of Object.keys(node.children))
    exit = copyDir(call, joinPath(source, name), joinPath(target, name)) || exit
  return exit
}

export const mv: Program = (call) => {
  const { letters, words } = parse(call)
  const target = words.pop() ?? ''
  let exit = 0
  for (const source of words) {
    const to = targetOf(call, source, target, letters.includes('T'))
    if (findNode(call.pm, source, false) === undefined) {
      call.err(`mv: cannot stat '${source}': No such file or directory\n`)
      exit = 1
    } else if (!letters.includes('n') || findNode(call.pm, to, false) === undefined) {
      exit = attempt(call, `cannot move '${source}' to '${to}'`, () => rename(call.pm, source, to)) || exit
    }
  }
  call.world.save()
  return exit
}

export const ln: Program = (call) => {
  const { letters, words } = parse(call)
  const [source = '', path = ''] = words
  const kind = letters.includes('s') ? 'symbolic ' : 'hard '
  const exit = attempt(call, `failed to create ${kind}link '${path}'`, () => {
    if (letters.includes('f') && findNode(call.pm, path, false)) unlink(call.pm, path)
    if (letters.includes('s')) makeLink(call.pm, path, source, call.now())
    else {
      // Both names lead to one node, as long as nobody writes the state down in between.
      const place = locate(call.pm, path, false)
      if (place.node) throw fsError('EEXIST')
      place.parent.children[place.name] = needNode(call.pm, source)
    }
  })
  call.world.save()
  return exit
}

export const install: Program = async (call) => {
  const { letters, values, words } = parse(call, 'mogt')
  const mode = Number.parseInt(values.get('m') ?? '755', 8)
  if (letters.includes('d')) {
    for (const path of words) {
      const exit = attempt(call, `cannot create directory '${path}'`, () => {
        makeDirs(call.pm, path, call.now(), mode)
      })
      if (exit) return exit
    }
    call.world.save()
    return 0
  }
  const [source = '', target = ''] = words
  const to = targetOf(call, source, target, letters.includes('T'))
  const text = source === '/dev/null' ? '' : source === '/dev/stdin' || source === '-' ? await call.stdin() : undefined
  if (text === undefined && findNode(call.pm, source) === undefined) {
    call.err(`install: cannot stat '${source}': No such file or directory\n`)
    return 1
  }
  const exit = attempt(call, `cannot create regular file '${to}'`, () => {
    if (letters.includes('D')) makeDirs(call.pm, `/${splitPath(to).slice(0, -1).join('/')}`, call.now())
    if (text === undefined) copyFile(call.pm, source, to, call.now())
    else writeText(call.pm, to, text, call.now(), mode)
    needNode(call.pm, to).mode = mode
  })
  call.world.save()
  return exit
}
