import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../../../src/engine/host/local.ts'
import { identify, isSameVolume, readHeld, type VolumeIdentity } from '../../../src/engine/volumes/identity.ts'
import { dependentsAmong } from '../../../src/engine/volumes/layers.ts'
import { ask } from '../../contract/volumeSite.ts'

/** On this machine, with its own kernel and programs. */
const host = openLocalHost('here')
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'pengx-identity-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const same = (all: ReadonlyMap<string, VolumeIdentity>, one: string, other: string) =>
  isSameVolume(all.get(one)!, all.get(other)!, true)

describe('one volume is one volume', () => {
  test('in whatever spelling, through whatever link', async () => {
    writeFileSync(join(dir, 'u.img'), 'u')
    writeFileSync(join(dir, 'other.img'), 'u')
    linkSync(join(dir, 'u.img'), join(dir, 'hard.img'))
    symlinkSync('u.img', join(dir, 'soft link'))
    symlinkSync(dir, join(dir, 'round'))
    const [plain, hard, soft] = ['u.img', 'hard.img', 'soft link'].map((name) => join(dir, name)) as [
      string,
      string,
      string,
    ]
    const odd = `//${dir}/./round/u.img`
    const paths = [plain, hard, soft, odd, join(dir, 'other.img'), join(dir, 'none')]
    const all = await identify(host, paths)
    expect([hard, soft, odd].map((path) => same(all, plain, path))).toEqual([true, true, true])
    expect(same(all, plain, join(dir, 'other.img'))).toBe(false)
    expect(all.has(join(dir, 'none'))).toBe(false)
  })

  test('in a directory that is mounted a second time', async () => {
    const [place, again] = [join(dir, 'place'), join(dir, 'again')]
    for (const one of [place, again]) mkdirSync(one)
    writeFileSync(join(place, 'u.img'), 'u')
    // only root may
    if (!(await ask(host, 'mount', '--bind', place, again)).startsWith('0')) return
    try {
      const all = await identify(host, [join(place, 'u.img'), join(again, 'u.img')])
      expect(same(all, join(place, 'u.img'), join(again, 'u.img'))).toBe(true)
    } finally {
      await ask(host, 'umount', again)
    }
  })

  test('what is no path of a file is told by its words, without what is no part of its name', async () => {
    const all = await identify(host, ['rbd:vms/u:id=admin', 'rbd:vms/u', 'drbd:r0', 'drbd:r0/0'])
    expect(all.get('rbd:vms/u:id=admin')).toEqual(all.get('rbd:vms/u'))
    expect(all.get('drbd:r0')).toEqual(all.get('drbd:r0/0'))
  })

  test('an image lies on what its header leads to, whatever that calls it', async () => {
    const [base, other] = [join(dir, 'base.qcow2'), join(dir, 'other.qcow2')]
    for (const path of [base, other]) await ask(host, 'qemu-img', 'create', '-q', '-f', 'qcow2', path, '1M')
    symlinkSync(dir, join(dir, 'round'))
    const overlay = async (name: string, backing: string) => {
      await ask(host, 'qemu-img', 'create', '-q', '-f', 'qcow2', '-b', backing, '-F', 'qcow2', join(dir, name))
      return join(dir, name)
    }
    const odd = await overlay('odd.qcow2', `//${dir}/round/base.qcow2`)
    const near = await overlay('near.qcow2', 'base.qcow2')
    const apart = await overlay('apart.qcow2', other)
    expect(await dependentsAmong(host, [odd, near, apart, base, other], base)).toEqual([odd, near])
  })
})

test('who has a chain open, as the kernel tells it of a process that says it is a domain’s', async () => {
  const [base, top] = [join(dir, 'base.qcow2'), join(dir, 'top.qcow2')]
  await ask(host, 'qemu-img', 'create', '-q', '-f', 'qcow2', base, '1M')
  await ask(host, 'qemu-img', 'create', '-q', '-f', 'qcow2', '-b', base, '-F', 'qcow2', top)
  // A QEMU without Xen has no such option: a shell that has them open says it in its place.
  const script = 'exec 5<>"$1" 6<"$2"; echo open; read -r end'
  const argv = ['sh', '-c', script, 'sh', top, base, '-xen-domid', '4711']
  const child = Bun.spawn(argv, { stdin: 'pipe', stdout: 'pipe' })
  try {
    await child.stdout.getReader().read()
    const { holders, identities } = await readHeld(host, [top, `/${base}`])
    const held = holders.filter(({ domid, path }) => domid === 4711 && path.startsWith(dir))
    expect(held.map(({ path, writes }) => ({ path, writes }))).toEqual([
      { path: top, writes: true },
      { path: base, writes: false },
    ])
    expect(held.map(({ identity }) => identity)).toEqual([identities.get(top), identities.get(`/${base}`)])
  } finally {
    child.kill()
    await child.exited
  }
})
