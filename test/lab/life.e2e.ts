// A VM's whole life on real Xen, by the compiled executable: inside dom0, where the PM is this machine, and from outside
// over SSH. After each act what pengx says and what `xl list` says are one.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { consoleMark, waitConsole } from './console.ts'
import { CONFIGS, guestUuid } from './guest.ts'
import { type Pengx, pengxInside, pengxOutside, perform, vmsOf } from './pengx.ts'
import { labHost, labHosts, run, sh } from './ssh.ts'

const host = labHost()
const STORE = '/var/lib/pengx-e2e'

/** What `xl list -v` has, by UUID: the letters of the state and the domid. */
async function domains(): Promise<Map<string, { domid: number; letters: string }>> {
  const text = await sh(host, 'xl list -v')
  const found = new Map<string, { domid: number; letters: string }>()
  for (const line of text.split('\n').slice(1)) {
    const match = /\s(\d+)\s+\d+\s+\d+\s+([a-z-]{6})\s+\d+\.\d\s+([0-9a-f-]{36})/.exec(line)
    if (match && match[1] !== '0') found.set(match[3]!, { domid: Number(match[1]), letters: match[2]! })
  }
  return found
}

async function agree(pengx: Pengx, name: string, state: string): Promise<void> {
  const row = (await vmsOf(pengx)).get(name)
  expect({ name, state: row?.state }).toEqual({ name, state })
  const domain = (await domains()).get(row!.uuid)
  if (state === 'shutdown') expect(domain).toBeUndefined()
  else expect(domain?.letters.includes('p')).toBe(state === 'paused')
}

beforeAll(async () => {
  await sh(host, `rm -rf ${STORE}; mkdir -p ${STORE} /data`)
  // One after the other: on an emulated processor two device models that start at once run into libxl's clock.
  for (const name of ['pv1', 'pv2']) {
    await sh(host, `xl create ${CONFIGS}/${name}.cfg`)
    await waitConsole(host, name, new RegExp(`^READY name=${name}`))
  }
}, 400_000)

afterAll(async () => {
  for (const name of ['pv1', 'pv2', 'made-inside', 'made-outside', 'deaf']) await run(host, ['xl', 'destroy', name])
})

function lifeSuite(where: Pengx['where'], open: () => Promise<Pengx>): void {
  describe(`pengx ${where}`, () => {
    let pengx: Pengx
    const name = `made-${where}`
    beforeAll(async () => {
      pengx = await open()
    }, 400_000)

    test('shows what was started by hand, with no configuration, and adopts it without touching it', async () => {
      const before = await domains()
      const rows = await vmsOf(pengx)
      expect([rows.get('pv1')?.origin, rows.get('pv2')?.origin]).toEqual(['found', 'found'])
      const config = await sh(host, `sha256sum ${CONFIGS}/pv1.cfg`)
      expect(await perform(pengx, 'vm.adopt', 'pv1')).toMatchObject({ job: { state: 'done' } })
      await perform(pengx, 'vm.adopt', guestUuid(2))
      const after = await vmsOf(pengx)
      expect([after.get('pv1')?.origin, after.get('pv2')?.origin]).toEqual(['adopted', 'adopted'])
      for (const [uuid, { domid }] of before) expect((await domains()).get(uuid)?.domid).toBe(domid)
      expect(await sh(host, `sha256sum ${CONFIGS}/pv1.cfg`)).toBe(config)
    })

    test('creates a VM that boots, pauses, reboots, is reset, shut down and deleted', async () => {
      await perform(pengx, 'storlink.create', `data-${where}`, '--link', '/data', '--type', 'LO', '--level', 'FL')
      await perform(
        pengx,
        ...['vm.create', name, '--storlink', `data-${where}`, '--type', 'pv', '--memory', '96', '--disk-size', '16'],
        ...['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--bridges', 'xenbr0'],
        ...['--cmdline', `console=hvc0 loglevel=3 mitigations=off random.trust_cpu=on gname=${name} gmode=idle`],
      )
      await agree(pengx, name, 'shutdown')
      const { uuid } = (await vmsOf(pengx)).get(name)!
      expect(await sh(host, 'ls /data')).toMatch(/^[0-9a-f-]{36}\.qcow2\n$/)

      await perform(pengx, 'vm.start', name)
      await agree(pengx, name, 'running')
      await waitConsole(host, name, new RegExp(`^READY name=${name} disks=xvda nics=eth0$`))

      await perform(pengx, 'vm.suspend', name)
      await agree(pengx, name, 'paused')
      await perform(pengx, 'vm.resume', name)
      await agree(pengx, name, 'running')

      let mark = await consoleMark(host, name)
      const first = (await domains()).get(uuid)!.domid
      await perform(pengx, 'vm.reboot', name)
      await waitConsole(host, name, /^READY/, { mark })
      const second = (await domains()).get(uuid)!.domid
      expect(second).not.toBe(first)

      mark = await consoleMark(host, name)
      await perform(pengx, 'vm.reset', name)
      await waitConsole(host, name, /^READY/, { mark })
      expect((await domains()).get(uuid)!.domid).not.toBe(second)

      await perform(pengx, 'vm.shutdown', name)
      await agree(pengx, name, 'shutdown')
      await perform(pengx, 'vm.start', name)
      await perform(pengx, 'vm.poweroff', name)
      await agree(pengx, name, 'shutdown')

      await perform(pengx, 'vm.delete', name)
      expect((await vmsOf(pengx)).get(name)).toBeUndefined()
      expect(await sh(host, 'ls /data /etc/xen/pengx')).not.toContain(uuid)
      expect(await sh(host, 'ls /data')).toBe('')
      await perform(pengx, 'storlink.delete', `data-${where}`)
    })

    test('gives what it adopted out of care again, and the guests go on', async () => {
      await perform(pengx, 'vm.forget', 'pv1')
      await perform(pengx, 'vm.forget', 'pv2')
      const rows = await vmsOf(pengx)
      expect([rows.get('pv1')?.state, rows.get('pv2')?.state]).toEqual(['running', 'running'])
    })

    test('names what is wrong, and leaves nothing behind', async () => {
      await perform(pengx, 'storlink.create', `bad-${where}`, '--link', '/data', '--type', 'LO', '--level', 'FL')
      const base = [
        'vm.create',
        'bad',
        '--storlink',
        `bad-${where}`,
        '--type',
        'pv',
        '--kernel',
        '/lab/guest/vmlinux',
        '--ramdisk',
        '/lab/guest/initrd',
      ]
      const wrong: [string[], number, RegExp][] = [
        [
          [...base, '--memory', '96', '--disk-size', '16', '--bridges', 'nobr9'],
          3,
          /nobr9 is not on xen1, which has xenbr0/,
        ],
        [[...base, '--memory', '900000', '--disk-size', '16'], 3, /memory 900000 MiB is more than PM xen1 has/],
        [
          [
            'vm.create',
            'bad',
            '--storlink',
            `bad-${where}`,
            '--type',
            'pv',
            '--memory',
            '96',
            '--disk-size',
            '16',
            '--kernel',
            '/no/kernel',
          ],
          3,
          /no file \/no\/kernel on xen1/,
        ],
        [['vm.adopt', '/lab/cfg/none.cfg'], 3, /\/lab\/cfg\/none\.cfg/],
        [['vm.start', 'nobody'], 2, /nobody/],
        [
          ['storlink.create', 'other', '--link', '/nowhere', '--type', 'LO', '--level', 'FL'],
          3,
          /\/nowhere is not there on xen1/,
        ],
      ]
      for (const [words, exit, message] of wrong) {
        const said = await pengx.run('run', ...words, '--yes')
        expect({ words, exit: said.exit, said: said.stderr }).toEqual({
          words,
          exit,
          said: expect.stringMatching(message),
        })
      }
      expect(await sh(host, 'ls /data')).toBe('')
      // What only Xen finds out: more memory than is free fails in `xl create`, and nothing of it stays.
      await perform(pengx, ...base, '--memory', '2900', '--disk-size', '16')
      const said = await pengx.run('run', 'vm.start', 'bad', '--yes')
      expect({ exit: said.exit, said: said.stderr }).toEqual({ exit: 1, said: expect.stringMatching(/memory/i) })
      expect((await vmsOf(pengx)).get('bad')?.state).toBe('shutdown')
      expect(await sh(host, 'xl list')).not.toContain('bad')
      await perform(pengx, 'vm.delete', 'bad')
      await perform(pengx, 'storlink.delete', `bad-${where}`)
    })
  })
}

lifeSuite('inside', () => pengxInside(host, STORE))
lifeSuite('outside', async () => pengxOutside(labHosts().slice(0, 1)))

test('a guest that ignores shutdown is named, and goes on', async () => {
  const pengx = pengxOutside(labHosts().slice(0, 1))
  await sh(
    host,
    `sed -e 's/pv2/deaf/' -e 's/gmode=idle/gignore=1/' -e 's/^uuid.*/uuid = "${guestUuid(77)}"/' ${CONFIGS}/pv2.cfg | grep -v -e ^disk -e ^vif >/tmp/deaf.cfg; xl create /tmp/deaf.cfg`,
  )
  await waitConsole(host, 'deaf', /^READY name=deaf/)
  await vmsOf(pengx)
  const said = await pengx.run('run', 'vm.shutdown', 'deaf', '--timeout', '5', '--yes')
  expect({ exit: said.exit, said: said.stderr }).toEqual({
    exit: 1,
    said: expect.stringMatching(/deaf ignores the request to shut down/),
  })
  expect((await vmsOf(pengx)).get('deaf')?.state).toBe('running')
  await perform(pengx, 'vm.poweroff', 'deaf')
})
