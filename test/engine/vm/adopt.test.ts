// VMs that somebody else made, by hand and over years: which file describes one, and who a domain is.
import { afterEach, beforeEach, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { act, pmNamed, refusalOf } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'

let world: World
beforeEach(async () => {
  world = await openWorld()
  await sh('mkdir', '-p', '/data')
})
afterEach(() => world.close())

const host = () => world.site.host('xen1')
const sh = (...argv: [string, ...string[]]) => run(host(), { argv, effect: 'change' })
const put = async (path: string, text: string) => {
  await sh('mkdir', '-p', path.slice(0, path.lastIndexOf('/')))
  await run(host(), { argv: ['dd', `of=${path}`, 'status=none'], effect: 'change', stdin: text })
}
const named = (name: string) => world.engine.view.vms().filter((vm) => vm.name === name)

const mail = (disk: string, kernel = '/boot/vmlinuz-guest') => `# the mail server
name = "mail"
type = "pvh"
memory = 512; vcpus = 2
kernel = "${kernel}"
disk = [ 'format=qcow2,vdev=xvda,access=rw,target=${disk}' ]
vif = [ 'mac=00:16:3e:01:02:04,bridge=xenbr0' ]
`

/** Files are looked at with each thirtieth look. */
async function lookAtFiles(): Promise<void> {
  for (let look = 0; look < 30; look++) await world.engine.look()
}

async function runsFrom(path: string, text: string): Promise<void> {
  for (const [, disk] of text.matchAll(/target=([^']*)'/g))
    await sh('qemu-img', 'create', '-q', '-f', 'qcow2', disk!, '64M')
  await put(path, text)
  await sh('xl', 'create', path)
  await world.engine.look()
}

test('of two files of one name the one that agrees with what runs is taken', async () => {
  await put('/etc/xen/mail-install.cfg', mail('/data/mail-old.qcow2', '/data/inst/vmlinuz'))
  await runsFrom('/etc/xen/mail.cfg', mail('/data/mail.qcow2'))
  await act(world, 'vm.adopt', { what: 'mail' })
  const [vm, ...more] = named('mail')
  expect(more).toEqual([])
  expect(vm).toMatchObject({ origin: 'adopted', configPath: '/etc/xen/mail.cfg', configForeign: true })
  expect(vm!.disks[0]!.path).toBe('/data/mail.qcow2')
})

test('where none or several agree, it asks and names them', async () => {
  await runsFrom('/etc/xen/mail.cfg', mail('/data/mail.qcow2'))
  await put('/etc/xen/auto/mail', mail('/data/mail.qcow2'))
  const several = await refusalOf(world, 'vm.adopt', { what: 'mail' })
  expect(several).toContain('/etc/xen/auto/mail (agrees with what runs), /etc/xen/mail.cfg (agrees with what runs)')
  await sh('rm', '/etc/xen/auto/mail')
  await put('/etc/xen/mail.cfg', mail('/data/mail-old.qcow2'))
  const none = await refusalOf(world, 'vm.adopt', { what: 'mail' })
  expect(none).toContain('/etc/xen/mail.cfg (xvda is /data/mail-old.qcow2, and runs as /data/mail.qcow2)')
  await put('/root/vms/mail', mail('/data/mail.qcow2'))
  await act(world, 'vm.adopt', { what: 'mail', config: '/root/vms/mail' })
  expect(named('mail')[0]).toMatchObject({ configPath: '/root/vms/mail' })
})

test('a domain is not taken twice: its file, by its path, stands for it', async () => {
  await runsFrom('/etc/xen/mail.cfg', mail('/data/mail.qcow2'))
  const { uuid } = named('mail')[0]!
  await put('/etc/xen/old.cfg', mail('/data/mail-old.qcow2'))
  const pm = pmNamed(world)
  expect(await refusalOf(world, 'vm.adopt', { what: '/etc/xen/old.cfg', pm })).toMatch(/is not what that runs from/)
  await act(world, 'vm.adopt', { what: '/etc/xen/mail.cfg', pm })
  expect(named('mail').map((vm) => [vm.uuid, vm.origin, vm.seen.state])).toEqual([[uuid, 'adopted', 'running']])
  expect(await refusalOf(world, 'vm.adopt', { what: '/etc/xen/mail.cfg' })).toMatch(/under pengx's care already/)
})

test('a file is meant by the UUID in it, however that is written, and is no other VM’s', async () => {
  const uuid = '0000000a-0000-4000-8000-00000000000a'
  await sh('qemu-img', 'create', '-q', '-f', 'qcow2', '/data/mail.qcow2', '64M')
  await put('/etc/xen/mail.cfg', `uuid = "${uuid.toUpperCase()}"\n${mail('/data/mail.qcow2')}`)
  await put('/root/web.cfg', mail('/data/mail.qcow2').replace('"mail"', '"web"'))
  await put('/root/mail.cfg', `uuid = "${uuid.replace('a', 'b')}"\n${mail('/data/mail.qcow2')}`)
  await lookAtFiles()
  await act(world, 'vm.adopt', { what: uuid.toUpperCase() })
  expect(named('mail')).toMatchObject([{ uuid, configPath: '/etc/xen/mail.cfg' }])
  const refused = async (config: string) => await refusalOf(world, 'vm.config', { vm: uuid, config })
  expect(await refused('/root/web.cfg')).toContain('is of another VM: it names web, and the domain is mail')
  expect(await refused('/root/mail.cfg')).toContain(`is of another VM: its UUID is ${uuid.replace('a', 'b')}, and that`)
})

test('a domain that no file describes is adopted only by who insists', async () => {
  await runsFrom('/root/mail.cfg', mail('/data/mail.qcow2'))
  expect(await refusalOf(world, 'vm.adopt', { what: 'mail' })).toMatch(/no configuration file of it was found/)
  expect(await refusalOf(world, 'vm.adopt', { what: 'mail', config: '/root/none.cfg' })).toMatch(/it is not there/)
  expect(await refusalOf(world, 'vm.adopt', { what: 'mail', config: '/etc/xen/xl.conf' })).toMatch(/^invalid/)
  await act(world, 'vm.adopt', { what: 'mail', acceptLoss: true })
  expect(named('mail')[0]).toMatchObject({ origin: 'adopted', configForeign: false })
})

test('it is started from its owner’s file, which nobody touches', async () => {
  const text = mail('/data/mail.qcow2')
  await runsFrom('/etc/xen/mail.cfg', text)
  await act(world, 'vm.adopt', { what: 'mail' })
  const { uuid } = named('mail')[0]!
  await act(world, 'vm.poweroff', { vm: uuid })
  await act(world, 'vm.start', { vm: uuid })
  expect((await xen.readConfig(host(), '/etc/xen/mail.cfg')).text).toBe(text)
  expect((await xen.domains(host())).find((one) => one.name === 'mail')).toMatchObject({ uuid, state: 'running' })
})

test('a change edits the file at the place that a link leads to, and keeps it as it was', async () => {
  const text = mail('/data/mail.qcow2')
  await runsFrom('/data/cfg/mail', text)
  await sh('chmod', '640', '/data/cfg/mail')
  await sh('ln', '-s', '/data/cfg/mail', '/etc/xen/mail.cfg')
  await world.engine.look()
  await act(world, 'vm.adopt', { what: 'mail', config: '/etc/xen/mail.cfg' })
  const { uuid } = named('mail')[0]!
  await act(world, 'vm.poweroff', { vm: uuid })
  await act(world, 'vm.resize', { vm: uuid, memory: 1024 })
  const files = world.site.filesOn('xen1')
  expect((await xen.readConfig(host(), '/etc/xen/mail.cfg')).text).toBe(text.replace('512', '1024'))
  expect((await xen.readConfig(host(), '/data/cfg/.mail.before-pengx')).text).toBe(text)
  expect(files['/data/cfg/mail']).toContain('mode 640')
  await act(world, 'vm.resize', { vm: uuid, memory: 2048 })
  expect((await xen.readConfig(host(), '/data/cfg/.mail.before-pengx')).text).toBe(text)
})

test('what cannot be edited safely is said first, and only that is refused', async () => {
  await runsFrom('/etc/xen/mail.cfg', `${mail('/data/mail.qcow2')}memory = 256\n`)
  await act(world, 'vm.adopt', { what: 'mail' })
  const { uuid: vm } = named('mail')[0]!
  await act(world, 'vm.poweroff', { vm })
  expect(await refusalOf(world, 'vm.resize', { vm, memory: 1024 })).toMatch(
    /mail\.cfg:4: memory is given again in line 8/,
  )
  await act(world, 'vm.resize', { vm, vcpus: 1 })
})

test('a VM with snapshots is not started from a file that names other disks; vm.config writes them in', async () => {
  const text = mail('/data/mail.qcow2')
  await runsFrom('/etc/xen/mail.cfg', text)
  await act(world, 'storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm: pmNamed(world) })
  await act(world, 'vm.adopt', { what: 'mail' })
  const { uuid: vm } = named('mail')[0]!
  await act(world, 'vm.poweroff', { vm })
  await act(world, 'snapshot.create', { vm, storlink: 1 })
  await put('/etc/xen/mail.cfg', text)
  const refusal = await refusalOf(world, 'vm.resize', { vm, memory: 1024 })
  expect(refusal).toMatch(/names \/data\/mail\.qcow2 \(qcow2\) for xvda, and not .* on which its snapshots count/)
  const started = await world.engine.start('vm.start', world.engine.decode('vm.start', { vm }), 'cli')
  expect((await world.engine.finished(started.id)).job.state).not.toBe('done')
  expect((await xen.domains(host())).some((one) => one.name === 'mail')).toBe(false)
  await act(world, 'vm.config', { vm, config: '/etc/xen/mail.cfg' })
  await act(world, 'vm.start', { vm })
  const { disks } = world.engine.view.needVm(vm)
  expect((await xen.readConfig(host(), '/etc/xen/mail.cfg')).spec.disks[0]!.path).toBe(disks[0]!.path)
})

test('a copy from which the PM starts keeps a VM from snapshots until it is a link', async () => {
  const text = mail('/data/mail.qcow2')
  await runsFrom('/etc/xen/mail.cfg', text)
  await act(world, 'storlink.create', { name: 'data', link: '/data', type: 'LO', level: 'FL', pm: pmNamed(world) })
  await put('/etc/xen/auto/mail.cfg', `${text}# started at boot\n`)
  await act(world, 'vm.adopt', { what: 'mail', config: '/etc/xen/mail.cfg' })
  const { uuid: vm } = named('mail')[0]!
  // nobody has looked at the files since: the operation does
  expect(await refusalOf(world, 'snapshot.create', { vm, storlink: 1 })).toMatch(/auto\/mail\.cfg describes it too/)
  await lookAtFiles()
  const refusal = await refusalOf(world, 'snapshot.create', { vm, storlink: 1 })
  expect(refusal).toMatch(/\/etc\/xen\/auto\/mail\.cfg describes it too, beside \/etc\/xen\/mail\.cfg/)
  await act(world, 'vm.config', { vm, link: true })
  await world.engine.look()
  expect((await xen.readConfig(host(), '/etc/xen/auto/mail.cfg')).target).toBe('/etc/xen/mail.cfg')
  const kept = Object.keys(world.site.filesOn('xen1')).filter((path) => path.startsWith('/etc/xen/auto/.mail.cfg.'))
  expect(kept).toHaveLength(1)
  expect((await xen.readConfig(host(), kept[0]!)).text).toBe(`${text}# started at boot\n`)
})

test('what its owner changes in the file is shown, and taken in by the next start', async () => {
  const text = mail('/data/mail.qcow2')
  await runsFrom('/etc/xen/mail.cfg', text)
  await act(world, 'vm.adopt', { what: 'mail' })
  const { uuid: vm } = named('mail')[0]!
  await act(world, 'vm.poweroff', { vm })
  await put('/etc/xen/mail.cfg', `${text.replace('512', '640')}localtime = 1 # caf\u00e9\n`)
  await lookAtFiles()
  await world.engine.look()
  expect(world.engine.view.needVm(vm).seen.fileSays).toBe(
    'its file was changed, and is taken in with its next change or start: memory, maxmem, other lines',
  )
  await act(world, 'vm.start', { vm })
  expect(world.engine.view.needVm(vm)).toMatchObject({ memoryMib: 640, maxmemMib: 640 })
  expect(world.engine.view.needVm(vm).seen.fileSays).toBeUndefined()
})

test('a preview tells what becomes of which line, and no password', async () => {
  await runsFrom(
    '/etc/xen/mail.cfg',
    `${mail('/data/mail.qcow2')}vnc = 1; vncpasswd = "geheim"\nmaxmem = 2048 # of "geheim"\n`,
  )
  await act(world, 'vm.adopt', { what: 'mail' })
  const { uuid: vm } = named('mail')[0]!
  await act(world, 'vm.poweroff', { vm })
  const { engine } = world
  const { steps } = await engine.preview('vm.resize', engine.decode('vm.resize', { vm, memory: 1024, maxmem: 4096 }))
  const shows = steps.flatMap((step) => step.shows ?? [])
  expect(shows).toEqual([
    'write /etc/xen/mail.cfg',
    '- memory = 512; vcpus = 2',
    '- maxmem = 2048 # of "***"',
    '+ memory = 1024; vcpus = 2',
    '+ maxmem = 4096 # of "***"',
  ])
  expect(shows.join()).not.toContain('geheim')
})
