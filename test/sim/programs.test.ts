import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host, Output } from '../../src/engine/host/host.ts'
import { openLocalHost } from '../../src/engine/host/local.ts'
import { run } from '../../src/engine/host/run.ts'
import { PROGRAMS } from '../../src/sim/programs/table.ts'
import { createSimSite } from '../../src/sim/site.ts'
import { transcriptText } from '../support/transcript.ts'

/**
 * The same command lines for the real coreutils and qemu-img of this machine and for the simulated ones, one after
 * another in one directory: exit, output and error text are the same.
 */

let directory: string
let real: Host
let simulated: Host

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-sim-'))
  real = openLocalHost('here')
  simulated = createSimSite({ vmCount: 0, pmCount: 1, pace: 0 }).host('xen1')
  await run(simulated, { argv: ['mkdir', '-p', directory], effect: 'change' })
})
afterAll(async () => {
  await real.close()
  rmSync(directory, { recursive: true, force: true })
})

const ANY = Array.from({ length: 256 }, (_, exit) => exit)

async function both(line: string, stdin?: string): Promise<[Output, Output]> {
  const argv = line.replaceAll('@', `${directory}/`).split(' ') as [string, ...string[]]
  const command = { argv, effect: 'change' as const, okExits: ANY, ...(stdin === undefined ? {} : { stdin }) }
  return [await run(real, command), await run(simulated, command)]
}

const LINES: readonly (string | [string, string])[] = [
  ['tee @a', 'one\ntwo\nthree\n'],
  'cat @a',
  'cat @a @none',
  'cat @',
  'head -n 1 @a',
  'tail -n 2 @a',
  'tail -n 2 @none',
  'test -e @a',
  'test -e @none',
  'test -d @a',
  'test ! -e @none',
  'test -f @a -a -d @',
  'cp @a @b',
  'cp @none @c',
  'cp @a @nodir/c',
  'mv @b @c',
  'mv @none @d',
  'mv -T @c @nodir/c',
  ['tee -a @c', 'four\n'],
  'cat @c',
  'mv -n -T @a @c',
  'cat @c',
  'stat -c %n|%s|%F|%a @a @c',
  // How large a directory is, is its file system's own matter.
  'stat -c %F:%n @',
  'stat -c %s:%F @c',
  'stat -c %s @none',
  'stat --printf=%s\\n @a',
  'mkdir @d',
  'mkdir @d',
  'mkdir -p @d/e/f',
  'mkdir @none/x',
  'rmdir @d',
  'rmdir @d/e/f',
  'rmdir @none',
  'ls -1 @',
  'ls -1A @d',
  'ls @none',
  'ls -d @d',
  'install -m 600 /dev/null @secret',
  ['dd of=@secret conv=fsync status=none', 'word'],
  'cat @secret',
  'stat -c %a:%s @secret',
  'dd of=@none/x status=none',
  'dd if=@none of=@x status=none',
  'ln -s a @link',
  'ln -s a @link',
  'readlink @link',
  'readlink -f @link',
  'readlink @a',
  'readlink @none',
  'ln -s -T a @link',
  'ln -s -T a @d',
  'ln -s -T a @none/x',
  'ln -s none @dangling',
  'mkdir @auto',
  'ln -s -T ../a @auto/10-a.cfg',
  'ln -s -T @auto @autolink',
  'touch @auto/own',
  'find @auto/ -mindepth 1 -maxdepth 1 -printf %y:%f:%l\\n',
  'find @autolink/ -mindepth 1 -maxdepth 1 -printf %y:%f:%l\\n',
  'find -L @autolink/ -mindepth 1 -maxdepth 1 -printf %y:%f:%l\\n',
  'find -L @ -maxdepth 1 -name *ang* -printf %y:%f:%l\\n',
  'find -L @none/ -mindepth 1 -maxdepth 1 -printf %D:%i',
  'stat -L --printf=%n\\n @auto/own @auto/10-a.cfg @none @dangling',
  'rm @dangling',
  'rm @autolink',
  'rm -r @auto',
  'cat @link',
  'stat -c %F @link',
  'stat -L -c %F @link',
  'rm @link',
  'rm @none',
  'rm -f @none',
  'rm -f @none/none',
  'rm @d',
  'find @d -type d',
  'find @ -maxdepth 1 -name *.none',
  'find @ -maxdepth 1 -type f -name a -printf %f:%s\\n',
  'find @none',
  'rm -r @d',
  'touch @t',
  'stat -c %s:%F @t',
  'chmod 640 @t',
  'stat -c %a @t',
  'chmod 640 @none',
  'truncate -s 1M @t',
  'stat -c %s @t',
  'printf %s:%s\\n a b c',
  'true',
  'false',
  'df @none',
  'qemu-img create -f qcow2 @x.qcow2 64M',
  'qemu-img create -q -f qcow2 -b @x.qcow2 -F qcow2 @y.qcow2',
  'qemu-img create -f qcow2 -b @none -F qcow2 @z.qcow2',
  'qemu-img create -f raw @r.raw 10M',
  'qemu-img create -f qcow2 @none/x 1M',
  'qemu-img create -f strange @x 1M',
  'qemu-img info --output=json @y.qcow2',
  'qemu-img info --output=json -U --backing-chain @y.qcow2',
  'qemu-img info --output=json @r.raw',
  'qemu-img info @y.qcow2',
  'qemu-img info @none',
  'qemu-img info -f qcow2 @r.raw',
  'qemu-img resize @x.qcow2 128M',
  'qemu-img resize @x.qcow2 32M',
  'qemu-img resize -q --shrink @x.qcow2 64M',
  'qemu-img resize -f raw @r.raw 20M',
  'qemu-img resize @none 1G',
  'qemu-img check @r.raw',
  'qemu-img convert -O qcow2 @none @c.qcow2',
  'qemu-img convert -f qcow2 -O raw @x.qcow2 @c.raw',
  'qemu-img info --output=json @c.raw',
  'qemu-img compare @x.qcow2 @c.raw',
  'qemu-img compare -U -f qcow2 -F raw @x.qcow2 @c.raw',
  'qemu-img compare -q -f qcow2 -F raw @x.qcow2 @c.raw',
  'qemu-img compare -U @x.qcow2 @none',
  'qemu-img create -q -f qcow2 -b @y.qcow2 -F qcow2 @z.qcow2',
  'qemu-img info --output=json -U --backing-chain -f qcow2 @z.qcow2',
  'qemu-img rebase -t writethrough -f qcow2 -b @none -F qcow2 @z.qcow2',
  'qemu-img rebase -t writethrough -f qcow2 -b @z.qcow2 -F qcow2 @y.qcow2',
  'qemu-img rebase -t writethrough -f qcow2 -b @x.qcow2 -F qcow2 @z.qcow2',
  'qemu-img info --output=json -U --backing-chain -f qcow2 @z.qcow2',
  'qemu-img rebase -t writethrough -f qcow2 -b  @z.qcow2',
  'qemu-img info --output=json -U --backing-chain -f qcow2 @z.qcow2',
  'qemu-img rebase -f raw -b  @r.raw',
  'qemu-img rebase -u -f qcow2 -b @y.qcow2 -F qcow2 @x.qcow2',
  'qemu-img info --output=json -U --backing-chain @y.qcow2',
  'qemu-img rebase -u -f qcow2 -b  @y.qcow2',
  'qemu-img rebase -u -f qcow2 -b @none -F qcow2 @x.qcow2',
  'qemu-img info --output=json -U --backing-chain @x.qcow2',
  'qemu-img rebase -f qcow2 -b  @x.qcow2',
  'qemu-img measure --output=json -O raw --size 1G',
  'qemu-img frob',
  'qemu-img create -q -f raw @new.raw 1M',
  'cmp -s -n 4096 @new.raw /dev/zero',
  'cmp -s -n 4096 @a /dev/zero',
  'cmp -s -n 4096 @none /dev/zero',
  'echo a b',
  'sync @a',
  'chown --reference=@a @c',
  'fallocate -l 1M @full',
  'stat -c %s @full',
  'base64 @a',
  'base64 @none',
  'flock -w 1 @lock cat @a',
  'printenv PENGX_NOT_SET',
  'uname',
]

/** Programs that this machine cannot be asked for, or answers as the machine it is. */
const NOT_COMPARED: Readonly<Record<string, string>> = {
  hostname: 'tells of the machine',
  ip: 'tells of the machine; its parser reads a transcript',
  'ssh-keygen': 'a key is made by chance',
  ssh: 'runs a program on another simulated PM, as xl migrate does',
  sh: 'a shell that a person types at, and the one script that is known (volumes/copy.ts)',
  'xenstore-exists': 'asks the tree that xenstore-ls shows, which is compared',
  'xenstore-write': 'puts into the tree that xenstore-ls shows',
  pgrep: 'not every host has it (nor has a bare Debian): without it nothing is found, as there',
  blkdiscard: 'needs a block device: the lab does the same to a real volume',
}
/** These want a device mapper and root: the suite of volumes runs on them here, and on a real group in the lab. */
const OF_LVM = [
  'lvs',
  'vgs',
  'lvcreate',
  'lvremove',
  'lvextend',
  'lvreduce',
  'lvrename',
  'lvchange',
  'vgchange',
  'pvscan',
]

/** The first word of each command of a line, whatever stands between them. */
const programsIn = (line: string) => line.split(/[;|&]+|\$\(/).map((part) => part.trim().split(' ')[0]!)

test('each program there is, is compared with the real one, or says why not', () => {
  const compared = LINES.flatMap((line) => programsIn(typeof line === 'string' ? line : line[0]))
  const recorded = readdirSync(join(import.meta.dir, '../transcripts'))
    .filter((file) => file.endsWith('.txt'))
    .flatMap((file) =>
      [...transcriptText(file.replace(/\.txt$/, '')).matchAll(/^\$ (.*)$/gm)].flatMap(([, line]) => programsIn(line!)),
    )
  const known = new Set([...compared, ...recorded])
  const excepted = [...Object.keys(NOT_COMPARED), ...OF_LVM]
  expect(Object.keys(PROGRAMS).filter((name) => !known.has(name) && !excepted.includes(name))).toEqual([])
  // Nobody is excepted who need not be, or who is not there.
  expect(excepted.filter((name) => compared.includes(name) || !Object.hasOwn(PROGRAMS, name))).toEqual([])
})

test('each gives what the real program gives', async () => {
  const differences: unknown[] = []
  for (const line of LINES) {
    const [text, stdin] = typeof line === 'string' ? [line] : line
    const [there, here] = await both(text, stdin)
    const [was, is] = [plain(there), plain(here)]
    if (!Bun.deepEquals(was, is)) differences.push({ text, was: was, is: is })
  }
  expect(differences).toEqual([])
})

/** How much of the disk an image takes depends on the file system under it, and the order of names on nothing. */
function plain(output: Output): Output {
  const blocks = (text: string) =>
    text.replace(/"actual-size": \d+/g, '"actual-size": 0').replace(/^disk size: .*$/gm, 'disk size: 0 B')
  const lines = (text: string) => (text.includes('{') ? text : text.split('\n').sort().join('\n'))
  return { ...output, stdout: lines(blocks(output.stdout)), stderr: output.stderr }
}

test('the same file is told by its device and inode, under whatever name', async () => {
  for (const host of [real, simulated]) {
    const said = async (line: string) => {
      const argv = line.replaceAll('@', `${directory}/`).split(' ') as [string, ...string[]]
      return (await run(host, { argv, effect: 'change' })).stdout.split('\0').filter((word) => word !== '')
    }
    await said('mkdir @same')
    await said('touch @same/own @same/other')
    await said('ln -s own @same/link')
    const listed = new Map(
      (await said('find -L @same/ -mindepth 1 -maxdepth 1 -printf %f=%D:%i\\0')).map(
        (word) => word.split('=') as [string, string],
      ),
    )
    const [direct] = await said('stat -L --printf=%d:%i\\0 @same/link')
    expect([...listed.keys()].sort()).toEqual(['link', 'other', 'own'])
    expect([listed.get('own'), listed.get('link')]).toEqual([direct, direct])
    expect(listed.get('other')).not.toBe(direct)
  }
})

test('a program that is not there', async () => {
  const failures = await Promise.all(
    [real, simulated].map((host) => host.open({ argv: ['no-such-program'], effect: 'read' }).catch((error) => error)),
  )
  expect(failures.map((failure) => failure.code)).toEqual(['notFound', 'notFound'])
})
