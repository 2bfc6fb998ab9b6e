/** Programs that change files: tee, cp, mv, rm, mkdir, rmdir, ln, install, chmod, truncate, touch. */
import {
  charge,
  copyFile,
  findNode,
  freeBytes,
  fsError,
  isFsError,
  joinPath,
  locate,
  makeDir,
  makeDirs,
  makeLink,
  mountOf,
  needNode,
  openForWrite,
  removeDir,
  removeTree,
  rename,
  splitPath,
  unlink,
  writeText,
} from '../files.ts'
import type { Call, Program } from '../program.ts'
import { IMAGE_MARK, readPath } from './readFiles.ts'

/** Text into a file; the words that `cat` makes of an image become that image again. */
export function writeInto(call: Call, path: string, text: string, append = false): void {
  const node = findNode(call.pm, path)
  if (path === '/dev/null' || path === '/dev/stderr') return
  if (text.startsWith(IMAGE_MARK)) {
    const { image, size, allocated } = JSON.parse(text.slice(IMAGE_MARK.length))
    const made = openForWrite(call.pm, path, call.now())
    if (made.kind === 'file') {
      charge(call.pm, path, allocated)
      Object.assign(made, { size, allocated })
    }
    made.text = undefined
    made.image = image
  } else {
    const old = append && node?.kind === 'file' ? (node.text ?? '') : ''
    try {
      writeText(call.pm, path, old + text, call.now())
    } finally {
      call.world.save()
    }
  }
  call.world.save()
}

/** Does it, or prints `PROGRAM: WORDS: what the kernel said` and gives exit 1. */
function attempt(call: Call, words: string, act: () => void): number {
  try {
    act()
    return 0
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`${call.argv[0]}: ${words}: ${error.message}\n`)
    return 1
  }
}

function parse(call: Call, withValue = ''): { letters: string; values: Map<string, string>; words: string[] } {
  let letters = ''
  const values = new Map<string, string>()
  const words: string[] = []
  let ended = false
  for (let at = 1; at < call.argv.length; at++) {
    const word = call.argv[at]!
    if (ended || !word.startsWith('-') || word === '-') words.push(word)
    else if (word === '--') ended = true
    else if (word.startsWith('--')) letters += LONG[word.split('=')[0]!] ?? ''
    else {
      for (let index = 1; index < word.length; index++) {
        const letter = word[index]!
        letters += letter
        if (!withValue.includes(letter)) continue
        values.set(letter, word.slice(index + 1) || (call.argv[++at] ?? ''))
        break
      }
    }
  }
  return { letters, values, words }
}

const LONG: Record<string, string> = {
  '--force': 'f',
  '--parents': 'p',
  '--recursive': 'r',
  '--no-clobber': 'n',
  '--append': 'a',
  '--archive': 'a',
  '--symbolic': 's',
  '--no-target-directory': 'T',
}

export const tee: Program = async (call) => {
  const { letters, words } = parse(call)
  const text = await call.stdin()
  let exit = 0
  for (const path of words) exit = attempt(call, path, () => writeInto(call, path, text, letters.includes('a'))) || exit
  call.out(text)
  return exit
}

/** dd(1) with `if=`, `of=` and nothing of counts: whole files, standard input, standard output. */
export const dd: Program = async (call) => {
  const words = new Map(call.argv.slice(1).map((word) => [word.split('=')[0], word.slice(word.indexOf('=') + 1)]))
  const from = words.get('if')
  const to = words.get('of')
  const read = from === undefined ? { text: await call.stdin() } : readPath(call, from)
  if ('problem' in read) {
    call.err(`dd: failed to open '${from}': ${read.problem}\n`)
    return 1
  }
  if (to === undefined) call.out(read.text)
  else {
    const node = findNode(call.pm, to)
    const known = node?.kind === 'file' || node?.kind === 'block'
    const exit = attempt(call, known ? `error writing '${to}'` : `failed to open '${to}'`, () =>
      writeInto(call, to, read.text),
    )
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
    if (source === '/dev/stdin') {
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

export const rm: Program = (call) => {
  const { letters, words } = parse(call)
  let exit = 0
  for (const path of words) {
    const found = attempt(call, `cannot remove '${path}'`, () => {
      let place: ReturnType<typeof locate> | undefined
      try {
        place = locate(call.pm, path, false)
      } catch (error) {
        if (!isFsError(error) || !letters.includes('f')) throw error
      }
      if (place?.node === undefined) {
        if (!letters.includes('f')) throw fsError('ENOENT')
      } else if (place.node.kind === 'dir' && !/[rR]/.test(letters)) throw fsError('EISDIR')
      else if (place.node.kind === 'dir') removeTree(call.pm, path)
      else unlink(call.pm, path)
    })
    exit = found || exit
  }
  call.world.save()
  return exit
}

export const mkdir: Program = (call) => {
  const { letters, values, words } = parse(call, 'm')
  const mode = Number.parseInt(values.get('m') ?? '755', 8)
  let exit = 0
  for (const path of words) {
    const made = attempt(call, `cannot create directory '${path}'`, () => {
      if (letters.includes('p')) makeDirs(call.pm, path, call.now(), mode)
      else makeDir(call.pm, path, call.now(), mode)
    })
    exit = made || exit
  }
  call.world.save()
  return exit
}

export const rmdir: Program = (call) => {
  let exit = 0
  for (const path of parse(call).words)
    exit = attempt(call, `failed to remove '${path}'`, () => removeDir(call.pm, path)) || exit
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

export const chmod: Program = (call) => {
  const [mode = '', ...paths] = parse(call).words
  let exit = 0
  for (const path of paths) {
    exit =
      attempt(call, `cannot access '${path}'`, () => {
        const node = needNode(call.pm, path)
        if (/^[0-7]+$/.test(mode)) node.mode = Number.parseInt(mode, 8)
      }) || exit
  }
  call.world.save()
  return exit
}

export const touch: Program = (call) => {
  let exit = 0
  for (const path of parse(call, 'dr').words) {
    exit =
      attempt(call, `cannot touch '${path}'`, () => {
        const node = findNode(call.pm, path)
        if (node) node.mtimeMs = call.now()
        else openForWrite(call.pm, path, call.now())
      }) || exit
  }
  call.world.save()
  return exit
}

/** Sparse: the size is not taken from the disk. */
export const truncate: Program = (call) => {
  const { values, words } = parse(call, 's')
  const size = bytesOf(values.get('s') ?? '')
  if (size === undefined) {
    call.err(`truncate: Invalid number: '${values.get('s') ?? ''}'\n`)
    return 1
  }
  const exit = words.reduce(
    (worst, path) =>
      attempt(call, `cannot open '${path}' for writing`, () => {
        const node = findNode(call.pm, path) ?? openForWrite(call.pm, path, call.now())
        if (node.kind !== 'file') throw fsError('EINVAL')
        node.size = size
        node.text = undefined
        node.image ??= { format: 'raw', virtualSize: size }
        if (node.image.format === 'raw') node.image.virtualSize = size
      }) || worst,
    0,
  )
  call.world.save()
  return exit
}

export const fallocate: Program = (call) => {
  const { values, words } = parse(call, 'lo')
  const size = bytesOf(values.get('l') ?? '') ?? 0
  const path = words[0] ?? ''
  const exit = attempt(call, 'fallocate failed', () => {
    if (size > freeBytes(mountOf(call.pm, path))) throw fsError('ENOSPC')
    const node = openForWrite(call.pm, path, call.now())
    if (node.kind === 'file') {
      charge(call.pm, path, size)
      Object.assign(node, { size, allocated: size, text: undefined, image: { format: 'raw', virtualSize: size } })
    }
  })
  call.world.save()
  return exit
}

/** `64M`, `10g`, `1024`: bytes, in powers of 1024. */
export function bytesOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([kmgtKMGT]?)(?:i?[bB])?$/.exec(text)
  if (!match) return undefined
  const powers: Record<string, number> = { '': 0, k: 1, m: 2, g: 3, t: 4 }
  return Math.floor(Number(match[1]) * 1024 ** powers[match[2]!.toLowerCase()]!)
}
