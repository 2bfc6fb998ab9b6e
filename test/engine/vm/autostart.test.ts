import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { run } from '../../../src/engine/host/run.ts'
import { findNode } from '../../../src/sim/machine/files.ts'
import { act, makeVm, NEW_VM, pmNamed, refusalOf, startVm } from '../../support/sites/acts.ts'
import { openWorld, type World } from '../../support/sites/world.ts'
import { makeSharedVm } from '../operations/cases/migrateCases.ts'

/** What starts with its PM: seen in /etc/xen/auto, and kept right by what is done with a VM. */

let world: World
beforeEach(async () => {
  world = await openWorld()
})
afterEach(() => world.close())

const VM = NEW_VM.uuid
const CONFIG = `/etc/xen/pengx/${VM}.cfg`

async function on(pm: string, line: string, stdin?: string): Promise<void> {
  const argv = line.split(' ') as [string, ...string[]]
  await run(world.site.host(pm), { argv, effect: 'change', ...(stdin === undefined ? {} : { stdin }) })
}

/** Links by name, with what is written in them; other files as what they are. */
function auto(pm = 'xen1'): Record<string, string> {
  const node = findNode(world.site.pm(pm), '/etc/xen/auto')
  if (node?.kind !== 'dir') return {}
  return Object.fromEntries(
    Object.entries(node.children).map(([name, child]) => [name, child.kind === 'link' ? child.target : child.kind]),
  )
}

/** As the beat looks, with what it looks at apart. */
async function seen(vm = VM) {
  for (let looks = 0; looks < 31; looks++) await world.engine.look()
  return world.engine.view.needVm(vm).seen.autostart
}

const edit = (more: object) => act(world, 'vm.edit', { vm: VM, ...more })
const refusal = (more: object) => refusalOf(world, 'vm.edit', { vm: VM, ...more })

describe('is seen', () => {
  test('by where a link leads, whatever its name, and over as many links as there are', async () => {
    await makeVm(world)
    expect(await seen()).toBeUndefined()
    await on('xen1', `ln -s ../pengx/${VM}.cfg /etc/xen/auto/05_mail`)
    await on('xen1', 'ln -s auto/05_mail /etc/xen/again')
    await on('xen1', 'ln -s ../again /etc/xen/auto/zz')
    await on('xen1', `ln -s ${CONFIG} /etc/xen/auto/.hidden`)
    await on('xen1', 'ln -s /etc/xen/nowhere.cfg /etc/xen/auto/01-gone.cfg')
    await on('xen1', 'tee /etc/xen/auto/02-other.cfg', 'name = "other"\nkernel = "/x"\n')
    expect(await seen()).toEqual({ order: 5, paths: ['/etc/xen/auto/05_mail', '/etc/xen/auto/zz'] })
    await on('xen1', 'rm /etc/xen/auto/05_mail /etc/xen/auto/zz')
    expect(await seen()).toBeUndefined()
  })

  test('when the directory is a link to where all configurations are', async () => {
    await makeVm(world)
    await on('xen1', 'rmdir /etc/xen/auto')
    await on('xen1', `ln -s pengx /etc/xen/auto`)
    expect(await seen()).toEqual({ paths: [`/etc/xen/auto/${VM}.cfg`] })
    expect(await refusal({ autostart: 'no' })).toMatch(
      /^refused: fresh starts with its PM: \/etc\/xen\/auto on xen1 is a link to \/etc\/xen\/pengx, so every file there is started: /,
    )
    expect(await refusal({ autostart: 'yes', order: 5 })).toContain('is a link to /etc/xen/pengx')
  })

  test('to be started by nobody, where xendomains is not enabled', async () => {
    await makeVm(world)
    for (const level of [2, 3, 5])
      await on('xen1', `mv /etc/rc${level}.d/S01xendomains /etc/rc${level}.d/K01xendomains`)
    await edit({ autostart: 'yes' })
    const path = '/etc/xen/auto/fresh.cfg'
    expect(world.engine.view.needVm(VM).seen.autostart).toEqual({ paths: [path], disabled: true })
    const { message } = world.engine.view.jobs().find((one) => one.operation === 'vm.edit')!
    expect(message).toContain('the service xendomains is not enabled on xen1')
    const wants = '/etc/systemd/system/multi-user.target.wants'
    await on('xen1', `mkdir ${wants}`)
    await on('xen1', `ln -s /usr/lib/systemd/system/xendomains.service ${wants}/xendomains.service`)
    expect(await seen()).toEqual({ paths: [path] })
    await on('xen1', 'ln -s /dev/null /etc/systemd/system/xendomains.service')
    expect(await seen()).toEqual({ paths: [path], disabled: true })
  })
})

describe('is asked for', () => {
  test('with an order, another one, and no more', async () => {
    await makeVm(world)
    await edit({ autostart: 'yes' })
    expect(auto()).toEqual({ 'fresh.cfg': CONFIG })
    expect(world.engine.view.needVm(VM).seen.autostart).toEqual({ paths: ['/etc/xen/auto/fresh.cfg'] })
    await edit({ order: 7 })
    expect(auto()).toEqual({ '07-fresh.cfg': CONFIG })
    await edit({ autostart: 'yes', order: 42, desc: 'the shop' })
    expect(auto()).toEqual({ '42-fresh.cfg': CONFIG })
    expect(world.engine.view.needVm(VM)).toMatchObject({ desc: 'the shop', seen: { autostart: { order: 42 } } })
    await edit({ autostart: 'yes' })
    expect(auto()).toEqual({ '42-fresh.cfg': CONFIG })
    await edit({ autostart: 'no' })
    expect(auto()).toEqual({})
    expect(world.engine.view.needVm(VM).seen.autostart).toBeUndefined()
    expect(await refusal({ order: 3 })).toContain('fresh does not start with its PM')
    expect(await refusal({ autostart: 'no', order: 3 })).toContain('an order is of what starts with its PM')
  })

  test('while it runs, and where there is no directory yet', async () => {
    await startVm(world)
    await on('xen1', 'rmdir /etc/xen/auto')
    await edit({ autostart: 'yes', order: 0 })
    expect(auto()).toEqual({ '00-fresh.cfg': CONFIG })
    await world.engine.look()
    expect(world.engine.view.needVm(VM).seen).toMatchObject({ state: 'running', autostart: { order: 0 } })
  })

  test('where its owner’s link does it already, under the name that he gave it', async () => {
    await makeVm(world)
    await on('xen1', `ln -s ../pengx/${VM}.cfg /etc/xen/auto/mailserver`)
    await edit({ autostart: 'yes' })
    await edit({ name: 'other' })
    expect(auto()).toEqual({ mailserver: `../pengx/${VM}.cfg` })
    await edit({ autostart: 'no' })
    expect(auto()).toEqual({})
  })

  test('and nothing is put in the place of what is there', async () => {
    await makeVm(world)
    await on('xen1', 'tee /etc/xen/auto/fresh.cfg', 'name = "else"\nkernel = "/x"\n')
    await on('xen1', 'ln -s /etc/xen/nowhere /etc/xen/auto/05-fresh.cfg')
    await on('xen1', 'mkdir /etc/xen/auto/06-fresh.cfg')
    expect(await refusal({ autostart: 'yes' })).toBe(
      'refused: /etc/xen/auto/fresh.cfg on xen1 is another file, and is not replaced: take it away first',
    )
    expect(await refusal({ autostart: 'yes', order: 5 })).toContain(
      '/etc/xen/auto/05-fresh.cfg on xen1 is a link to /etc/xen/nowhere, and is not replaced',
    )
    expect(await refusal({ autostart: 'yes', order: 6 })).toContain(
      '/etc/xen/auto/06-fresh.cfg on xen1 is another file',
    )
  })

  test('of a file that stands in the directory itself, and it stays', async () => {
    const path = '/etc/xen/auto/30-own.cfg'
    await on('xen1', `tee ${path}`, 'name = "own"\nuuid = "0000000a-0000-4000-8000-00000000000a"\nkernel = "/x"\n')
    await act(world, 'vm.adopt', { what: path, pm: 'xen1' })
    const { uuid: vm } = world.engine.view.vms().find((one) => one.name === 'own')!
    // Where a configuration is new, nobody waits for the next beat that looks at files.
    await world.engine.look()
    expect(world.engine.view.needVm(vm).seen.autostart).toEqual({ order: 30, paths: [path] })
    expect(await refusalOf(world, 'vm.edit', { vm, autostart: 'no' })).toContain(
      `${path} on xen1 is its configuration itself, and no link: move the file out of /etc/xen/auto first`,
    )
    await act(world, 'vm.edit', { vm, autostart: 'yes' })
    expect(auto()).toEqual({ '30-own.cfg': 'file' })
    const { notices, keeps } = await world.engine.preview('vm.delete', world.engine.decode('vm.delete', { vm }))
    expect([notices, keeps]).toEqual([[`${path} is its owner’s and stays: its PM starts it when it boots`], [path]])
  })

  test('of a name that a shell would split, by its UUID', async () => {
    await makeVm(world)
    await edit({ autostart: 'yes', name: 'die Küche', order: 3 })
    expect(auto()).toEqual({ [`03-vm-${VM}.cfg`]: CONFIG })
  })

  test('of a VM that nobody has adopted, and is refused', async () => {
    const vm = world.engine.view.vms().find((one) => one.origin === 'found')!.uuid
    expect(await refusalOf(world, 'vm.edit', { vm, autostart: 'yes' })).toContain('adopt it first')
  })
})

describe('is kept right', () => {
  test('by a new name', async () => {
    await makeVm(world)
    await edit({ autostart: 'yes', order: 12 })
    await edit({ name: 'shop' })
    expect(auto()).toEqual({ '12-shop.cfg': CONFIG })
    expect(world.engine.view.needVm(VM).seen.autostart).toEqual({ order: 12, paths: ['/etc/xen/auto/12-shop.cfg'] })
    await on('xen1', 'tee /etc/xen/auto/12-taken.cfg', 'name = "else"\nkernel = "/x"\n')
    expect(await refusal({ name: 'taken' })).toContain('/etc/xen/auto/12-taken.cfg on xen1 is another file')
  })

  test('when it is forgotten: the link is its owner’s; when it is deleted: there is none any more', async () => {
    await makeVm(world)
    await edit({ autostart: 'yes' })
    await act(world, 'vm.forget', { vm: VM })
    expect(auto()).toEqual({ 'fresh.cfg': CONFIG })
    await act(world, 'vm.adopt', { what: CONFIG, pm: 'xen1' })
    await act(world, 'vm.delete', { vm: VM })
    expect(auto()).toEqual({})
  })

  test('when it goes to another PM, which starts it from then on, and this one does not', async () => {
    await makeSharedVm(world)
    await edit({ autostart: 'yes', order: 20 })
    await act(world, 'vm.migrate', { vm: VM, pm: pmNamed(world, 'xen2') })
    expect([auto('xen1'), auto('xen2')]).toEqual([{}, { '20-fresh.cfg': CONFIG }])
    expect(world.engine.view.needVm(VM).seen.autostart).toEqual({ order: 20, paths: ['/etc/xen/auto/20-fresh.cfg'] })
  })

  test('and it does not go where its name is taken', async () => {
    await makeSharedVm(world)
    await edit({ autostart: 'yes' })
    await on('xen2', 'ln -s /etc/xen/nowhere /etc/xen/auto/fresh.cfg')
    const refused = await refusalOf(world, 'vm.migrate', { vm: VM, pm: pmNamed(world, 'xen2') })
    expect(refused).toContain('/etc/xen/auto/fresh.cfg on xen2 is a link to /etc/xen/nowhere')
  })

  test('when its file itself stands in the directory of the PM that it leaves', async () => {
    await makeSharedVm(world)
    await on('xen1', 'rm -r /etc/xen/auto')
    await on('xen1', 'ln -s pengx /etc/xen/auto')
    await act(world, 'vm.migrate', { vm: VM, pm: pmNamed(world, 'xen2') })
    expect(Object.keys(world.site.filesOn('xen1')).filter((path) => path.includes(VM))).toEqual([])
    expect(auto('xen2')).toEqual({ 'fresh.cfg': CONFIG })
  })

  test('of a file of its owner’s, which is edited in its place and set aside when the VM goes', async () => {
    await makeSharedVm(world)
    await act(world, 'vm.forget', { vm: VM })
    await on('xen1', `mv ${CONFIG} /etc/xen/auto/15-own`)
    await act(world, 'vm.adopt', { what: '/etc/xen/auto/15-own', pm: 'xen1' })
    await edit({ name: 'other' })
    expect(await seen()).toEqual({ order: 15, paths: ['/etc/xen/auto/15-own'] })
    await act(world, 'vm.migrate', { vm: VM, pm: pmNamed(world, 'xen2') })
    expect(Object.keys(auto('xen1')).filter((name) => !name.startsWith('.'))).toEqual([])
    expect(auto('xen2')).toEqual({ '15-other.cfg': CONFIG })
  })
})
