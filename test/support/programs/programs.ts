/**
 * Every program outside npm and Debian's minimal system that the tests, the lab and the bare root start, the Debian
 * package that brings it, and who may start it: one that is not in here fails by name on every machine, also where it
 * happens to be installed (shelf.ts).
 */
export type User = 'tests' | 'lab' | 'fresh'

interface Row {
  readonly package: string
  readonly users: readonly User[]
  /** What in a test file's text shows that it works with the program; else its quoted name. */
  readonly sign?: RegExp
}

export const PROGRAMS: Readonly<Record<string, Row>> = {
  git: { package: 'git', users: ['fresh'] },
  'qemu-img': { package: 'qemu-utils', users: ['tests', 'lab'], sign: /qemu-img|QemuImg/ },
  'qemu-io': { package: 'qemu-utils', users: ['tests', 'lab'] },
  'qemu-storage-daemon': { package: 'qemu-system-common', users: ['tests'] },
  'qemu-system-x86_64': { package: 'qemu-system-x86', users: ['tests', 'lab'] },
  sshd: { package: 'openssh-server', users: ['tests'] },
  ssh: { package: 'openssh-client', users: ['tests', 'lab'], sign: /\bssh -[GW]\b/ },
  scp: { package: 'openssh-client', users: ['lab'] },
  'ssh-keygen': { package: 'openssh-client', users: ['tests', 'lab'] },
  'ssh-agent': { package: 'openssh-client', users: ['tests'] },
  'ssh-add': { package: 'openssh-client', users: ['tests'] },
  curl: { package: 'curl', users: ['tests'] },
  zsh: { package: 'zsh', users: ['tests'] },
  fish: { package: 'fish', users: ['tests'] },
  tmux: { package: 'tmux', users: ['tests'] },
  // Of the minimal system, but of its sbin.
  blkid: { package: 'util-linux', users: ['tests'] },
  isoinfo: { package: 'genisoimage', users: ['tests'] },
  genisoimage: { package: 'genisoimage', users: ['lab'] },
  mmdebstrap: { package: 'mmdebstrap', users: ['lab', 'fresh'] },
  cpio: { package: 'cpio', users: ['lab'] },
  depmod: { package: 'kmod', users: ['lab'] },
  xz: { package: 'xz-utils', users: ['lab'] },
}

/** sshd, depmod and their like live where a person's PATH does not look. */
export const SEARCH_PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`

export const programsOf = (user: User): string[] =>
  Object.keys(PROGRAMS).filter((program) => PROGRAMS[program]!.users.includes(user))

export const missingFor = (user: User): string[] =>
  programsOf(user).filter((program) => Bun.which(program, { PATH: SEARCH_PATH }) === null)

/** The packages that bring some programs, each once. */
export const packagesOf = (programs: readonly string[]): string[] => [
  ...new Set(programs.map((program) => PROGRAMS[program]!.package)),
]

const signOf = (program: string): RegExp => PROGRAMS[program]!.sign ?? new RegExp(`'${program}'`)

interface TestFile {
  readonly path: string
  readonly text: string
  readonly imports: readonly { readonly target: string }[]
}

/** The test files that cannot run where some programs are missing, each with the first that it, or what it imports, lacks. */
export function leftOut(
  files: readonly TestFile[],
  all: readonly TestFile[],
  missing: readonly string[],
): { readonly path: string; readonly program: string }[] {
  const byPath = new Map(all.map((file) => [file.path, file]))
  return files.flatMap((file) => {
    const texts = reachedFrom(file, byPath).map(({ text }) => text)
    const program = missing.find((one) => texts.some((text) => signOf(one).test(text)))
    return program === undefined ? [] : [{ path: file.path, program }]
  })
}

function reachedFrom(file: TestFile, byPath: ReadonlyMap<string, TestFile>): TestFile[] {
  const reached = new Set([file])
  for (const one of reached) {
    for (const { target } of one.imports) {
      const next = byPath.get(target)
      if (next) reached.add(next)
    }
  }
  return [...reached]
}
