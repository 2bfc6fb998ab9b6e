// What an administrator has started by hand, taken into care on real Xen by the compiled executable: inside dom0 through its
// API, where the PM is this machine, and from outside over SSH through its command line. After each act what pengx says and
// what `xl list` says are one. The lives of VMs that pengx made are in `rows` (inside) and `devices` (outside).
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { booting, consoleMark, waitConsole } from '../machine/console.ts'
import { CONFIGS, guestCmdline, guestUuid } from '../machine/guest.ts'
import { labHost, labHosts, run, sh } from '../machine/ssh.ts'
import { type Pengx, pengxInside, pengxOutside, perform, type Served, serveInside, vmsOf } from '../pengx.ts'

const host = labHost()
const STORE = '/var/lib/pengx-e2e'
const KERNEL = { kernel: '/lab/guest/vmlinux', ramdisk: '/lab/guest/initrd' }

/** What `xl list -v` has, by UUID: the domid, and whether it is paused. */
async function domains(): Promise<Map<string, { domid: number; paused: boolean }>> {
  const found = new Map<string, { domid: number; paused: boolean }>()
  for (const line of (await sh(host, 'xl list -v')).split('\n').slice(1)) {
    const match = /\s(\d+)\s+\d+\s+\d+\s+([a-z-]{6})\s+\d+\.\d\s+([0-9a-f-]{36})/.exec(line)
    if (match && match[1] !== '0') found.set(match[3]!, { domid: Number(match[1]), paused: match[2]!.includes('p') })
  }
  return found
}

/** pengx's word for a state against Xen's own. */
async function expectDomain(uuid: string, state: string): Promise<void> {
  const domain = (await domains()).get(uuid)
  const seen = domain === undefined ? 'SHUTDOWN' : domain.paused ? 'PAUSED' : 'RUNNING'
  expect(seen).toBe(state.toUpperCase())
}

beforeAll(async () => {
  await sh(host, `rm -rf ${STORE}; mkdir -p ${STORE} /data`)
  // One after the other: on an emulated processor two device models that start at once run into libxl's clock.
  for (const name of ['pv1', 'pv2']) {
    await booting(host, name, () => sh(host, `xl create ${CONFIGS}/${name}.cfg`))
  }
}, 400_000)

afterAll(async () => {
  for (const name of ['pv1', 'pv2', 'inside', 'deaf']) await run(host, ['xl', 'destroy', name])
})

describe('inside dom0, through the API', () => {
  let pengx: Pengx
  let api: Served
  beforeAll(async () => {
    pengx = await pengxInside(host, STORE)
    api = await serveInside(host, STORE)
  }, 400_000)
  afterAll(() => api?.stop())

  const statusOf = async (id: string) =>
    String(((await api.ask('GET', `/vms/${id}/`)).body.vm as { status: string }).status)

  test('shows what was started by hand, with no configuration; the command line adopts it on the same store', async () => {
    const before = await domains()
    const config = await sh(host, `sha256sum ${CONFIGS}/pv1.cfg`)
    await waitFor(async () => {
      const { vms } = (await api.ask('GET', '/vms/')).body as { vms: { name: string }[] }
      return (
        vms
          .map((vm) => vm.name)
          .sort()
          .join() === 'pv1,pv2'
      )
    })
    expect(await perform(pengx, 'vm.adopt', 'pv1', '--config', `${CONFIGS}/pv1.cfg`)).toMatchObject({
      job: { state: 'done' },
    })
    for (const [uuid, { domid }] of before) expect((await domains()).get(uuid)?.domid).toBe(domid)
    expect(await sh(host, `sha256sum ${CONFIGS}/pv1.cfg`)).toBe(config)
    expect(await statusOf(guestUuid(1))).toBe('RUNNING')
  })

  // The ways of power are in `rows`.
  test('creates a VM that is snapshotted while it boots, by a QEMU that is spoken to with no SSH between', async () => {
    const storlink = { name: 'data', link: '/data', type: 'LO', level: 'FL' }
    expect(await api.ask('POST', '/storlinks/create/', storlink)).toMatchObject({ status: 201 })
    const made = { name: 'inside', storlink: 1, memory: 96, os_disk_size: 16, network: ['0'], type: 'pv', ...KERNEL }
    expect(await api.ask('POST', '/vms/', { ...made, cmdline: guestCmdline('inside') })).toMatchObject({ status: 201 })
    const { vms } = (await api.ask('GET', '/vms/')).body as { vms: { id: string; name: string }[] }
    const { id } = vms.find((vm) => vm.name === 'inside')!
    const layers = async () => (await sh(host, 'ls /data')).match(/^[0-9a-f-]{36}\.qcow2$/gm)
    expect(await layers()).toHaveLength(1)
    expect(await api.ask('POST', `/vms/${id}/start/`)).toMatchObject({ status: 200 })
    await expectDomain(id, 'RUNNING')
    const taken = await api.ask('POST', `/vms/${id}/snapshots/`, { name: 'here', desc: '' })
    expect(taken).toMatchObject({ status: 201 })
    expect(await layers()).toHaveLength(2)
    await waitConsole(host, 'inside', /^READY name=inside disks=xvda nics=eth0$/)
    const snapshot = (taken.body.snapshot as { id: string }).id
    expect(await api.ask('DELETE', `/vms/${id}/snapshots/${snapshot}/`)).toMatchObject({ status: 200 })
    expect(await layers()).toHaveLength(1)
    expect(await api.ask('POST', `/vms/${id}/poweroff/`)).toMatchObject({ status: 200 })
    await expectDomain(id, 'SHUTDOWN')
    expect(await api.ask('DELETE', `/vms/${id}/`)).toMatchObject({ status: 200 })
    expect(await api.ask('GET', `/vms/${id}/`)).toMatchObject({ status: 404 })
    expect(await sh(host, 'ls /data /etc/xen/pengx')).not.toContain(id)
    expect(await sh(host, 'ls /data')).toBe('')
  })

  test('names what is wrong, and leaves nothing behind', async () => {
    const base = { name: 'bad', storlink: 1, memory: 96, os_disk_size: 16, type: 'pv', ...KERNEL }
    const wrong: [string, object, RegExp][] = [
      ['/vms/', { ...base, network: ['9'] }, /xenbr9 is not on xen[12], which has xenbr0/],
      ['/vms/', { ...base, memory: 900_000 }, /memory 900000 MiB is more than PM xen[12] has/],
      ['/vms/', { ...base, kernel: '/no/kernel' }, /no file \/no\/kernel on xen[12]/],
      ['/vms/', { ...base, name: 'pv1' }, /the name pv1 is taken by VM/],
      ['/vms/', { ...base, storlink: 99 }, /storlink/],
      [
        '/storlinks/create/',
        { name: 'x', link: '/nowhere', type: 'LO', level: 'FL' },
        /\/nowhere is not there on xen[12]/,
      ],
    ]
    for (const [path, body, message] of wrong) {
      const answer = await api.ask('POST', path, body)
      expect({ body, status: answer.status, said: JSON.stringify(answer.body) }).toEqual({
        body,
        status: 400,
        said: expect.stringMatching(message),
      })
    }
    expect(await sh(host, 'ls /data')).toBe('')
    // What only Xen finds out: more memory than is free fails in `xl create`, and nothing of it stays.
    expect(await api.ask('POST', '/vms/', { ...base, memory: 2900 })).toMatchObject({ status: 201 })
    const { vms } = (await api.ask('GET', '/vms/')).body as { vms: { id: string; name: string }[] }
    const { id } = vms.find((vm) => vm.name === 'bad')!
    const answer = await api.ask('POST', `/vms/${id}/start/`)
    expect({ status: answer.status, said: JSON.stringify(answer.body) }).toEqual({
      status: 400,
      said: expect.stringMatching(/memory/i),
    })
    expect(await statusOf(id)).toBe('SHUTDOWN')
    expect(await sh(host, 'xl list')).not.toContain('bad')
    expect(await api.ask('DELETE', `/vms/${id}/`)).toMatchObject({ status: 200 })
  })
})

describe('from outside over SSH, on the command line', () => {
  let pengx: Pengx
  beforeAll(() => {
    pengx = pengxOutside(labHosts().slice(0, 1))
  })
  const uuidOf = async (name: string, state: string) => {
    const row = (await vmsOf(pengx)).get(name)
    expect({ name, state: row?.state }).toEqual({ name, state })
    return row!.uuid
  }

  test('adopts what was started by hand, pauses and resets it, and gives it out of care again', async () => {
    const domid = async () => (await domains()).get(guestUuid(2))?.domid
    const before = await domid()
    await perform(pengx, 'vm.adopt', 'pv2', '--config', `${CONFIGS}/pv2.cfg`)
    expect((await vmsOf(pengx)).get('pv2')?.origin).toBe('adopted')
    await perform(pengx, 'vm.suspend', 'pv2')
    await expectDomain(await uuidOf('pv2', 'paused'), 'paused')
    await perform(pengx, 'vm.resume', 'pv2')
    await expectDomain(await uuidOf('pv2', 'running'), 'running')
    expect(await domid()).toBe(before)
    await booting(host, 'pv2', () => perform(pengx, 'vm.reset', 'pv2'))
    const now = await domid()
    expect(now).not.toBe(before)
    await perform(pengx, 'vm.forget', 'pv2')
    await expectDomain(await uuidOf('pv2', 'running'), 'running')
    expect(await domid()).toBe(now)
  })

  test('reaches it as ssh does: by a ProxyCommand that a Match gives, its key known under another name', async () => {
    const config = join(mkdtempSync(join(tmpdir(), 'pengx proxy ')), 'ssh config')
    const own = readFileSync(host.sshConfig, 'utf8').replaceAll(/^ +(Control|HostName|Port).*\n/gm, '')
    const there = `ssh -F ${host.sshConfig} -W 127.0.0.1:22 ${host.name}`
    const match = `Match exec "test %n = behind" host behind\n  HostName %h.invalid\n  ProxyCommand ${there}\n`
    writeFileSync(
      config,
      `${match}${own.replace(`Host ${host.name}\n`, `Host behind\n    HostKeyAlias [127.0.0.1]:${host.port}\n`)}`,
    )
    const behind = await vmsOf(pengxOutside([{ ...host, name: 'behind', sshConfig: config }]))
    expect(behind.get('pv2')).toMatchObject({ state: 'running' })
  })

  test('a guest that ignores shutdown is named, and goes on', async () => {
    const rules = `-e s/pv2/deaf/ -e s/gmode=idle/gignore=1/ -e 's/^uuid.*/uuid = "${guestUuid(77)}"/' -e /^disk/d -e /^vif/d`
    const mark = await consoleMark(host, 'deaf')
    await sh(host, `sed ${rules} ${CONFIGS}/pv2.cfg >/tmp/deaf.cfg && xl create /tmp/deaf.cfg`)
    await waitConsole(host, 'deaf', /^READY name=deaf/, { mark })
    await vmsOf(pengx)
    const said = await pengx.run('run', 'vm.shutdown', 'deaf', '--timeout', '5', '--yes')
    expect({ exit: said.exit, said: said.stderr + said.stdout }).toEqual({
      exit: 1,
      said: expect.stringMatching(/deaf ignores the request to shut down/),
    })
    await uuidOf('deaf', 'running')
    await perform(pengx, 'vm.poweroff', 'deaf')
  })
})

async function waitFor(reached: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 100; round++) {
    if (await reached()) return
    await Bun.sleep(500)
  }
  throw new Error('it was not reached')
}
