import { describe, expect, test } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import { writeFileAtomically } from '../../src/engine/tools/files.ts'
import type { PengxError } from '../../src/model/error.ts'
import { hypervisorSuite } from '../contract/hypervisor.ts'
import { openResting, openSite, restingGuest } from '../support/sites/hypervisorSite.ts'
import { transcript } from '../support/transcript.ts'

hypervisorSuite('the simulated site', async () => {
  const { site, host } = openSite()
  const guest = await restingGuest(host)
  const cutOff = {
    async create() {
      await run(host, { argv: ['xl', 'create', guest.configPath], effect: 'change' })
      site.faults.leaveHalfBuilt(guest.name)
    },
    destroy: async () => site.faults.leaveHalfTorn(guest.name),
    qemu: async () => site.faults.killQemu(guest.name),
  }
  return { host, hypervisor: xen, guest, cutOff, pollMs: 1 }
})

describe('a look', () => {
  test('stands the loss of whatever is not essential', async () => {
    for (const match of ['hostname', 'uname', 'uptime', 'loadavg', 'boot_id', 'net/dev', 'ip -j', 'product_uuid']) {
      const { site, host } = openSite()
      const armed = site.faults.add({ match, effect: { kind: 'failBefore', exit: 1, stderr: 'no\n' } })
      const look = await xen.look(host)
      expect([match, armed.struck]).toEqual([match, 1])
      expect(look.domains.length).toBeGreaterThan(1)
      expect(look.hostname).toBe('xen1')
    }
  })

  test('finds cards and bridges without ip -j too', async () => {
    const { site, host } = openSite()
    const { interfaces, bridges } = await xen.look(host)
    site.faults.add({ match: 'ip -j', effect: { kind: 'lie', stdout: 'Option "-j" is unknown, try "ip -help".\n' } })
    const look = await xen.look(host)
    expect(look.interfaces).toEqual(interfaces.map((card) => ({ ...card, ip: '' })))
    expect(look.bridges).toEqual(bridges)
  })

  test('knows a machine without /etc/machine-id by its product UUID', async () => {
    const { site, host } = openSite()
    site.faults.add({ match: 'machine-id', effect: { kind: 'failBefore' } })
    site.faults.add({
      match: 'product_uuid',
      effect: { kind: 'lie', stdout: '39A640E6-F141-2319-2350-87391DF9F1C5\n' },
    })
    expect((await xen.look(host)).machineId).toBe('39a640e6f1412319235087391df9f1c5')
  })

  test('refuses a machine that nothing identifies', async () => {
    const { site, host } = openSite()
    for (const match of ['machine-id', 'product_uuid'])
      site.faults.add({ match, effect: { kind: 'lie', stdout: '\n' } })
    await expect(xen.look(host)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringMatching(/machine-id is empty or cannot be read, and its product UUID is empty/),
    })
  })

  test.each([
    ['uninitialized\n', '/etc/machine-id says "uninitialized"'],
    [`${'0'.repeat(32)}\n`, 'many machines have'],
  ])('refuses what many machines have, by name: %j', async (machineId, said) => {
    for (const uuid of [
      '03000200-0400-0500-0006-000700080009',
      '00020003-0004-0005-0006-000700080009',
      '6AB5B300-538D-1014-9FB5-B0684D007B53',
      '01010101-0101-0101-0101-010101010101',
      'FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF',
    ]) {
      const { site, host } = openSite()
      site.faults.add({ match: 'machine-id', effect: { kind: 'lie', stdout: machineId } })
      site.faults.add({ match: 'product_uuid', effect: { kind: 'lie', stdout: `${uuid}\n` } })
      const failure: PengxError = await xen.look(host).catch((error) => error)
      expect(failure).toMatchObject({ code: 'unsupported' })
      expect(failure.message).toContain(said)
      expect(failure.message).toContain(`its product UUID is ${uuid}, which many machines have`)
    }
  })

  test('refuses a machine without xl, and one that is not booted under Xen', async () => {
    const { site, host } = openSite()
    site.faults.add({ match: 'xl info', effect: { kind: 'failBefore', exit: 127, stderr: 'sh: 1: xl: not found\n' } })
    await expect(xen.look(host)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('has no xl'),
    })
    const stderr = `xencall: error: Could not obtain handle on privileged command interface: No such file or directory
libxl: error: libxl.c:102:libxl_ctx_alloc: cannot open libxc handle: No such file or directory
cannot init xl context
`
    site.faults.add({ match: 'xl info', effect: { kind: 'failBefore', exit: 1, stderr } })
    await expect(xen.look(host)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('booted under Xen'),
    })
  })

  test('a guest that sends is seen to send', async () => {
    const { site, host } = openSite()
    const net = (rx: number, tx: number) => `${rx} 1 0 0 0 0 0 0 ${tx} 1 0 0 0 0 0 0`
    const [, guest] = await xen.domains(host)
    const text = `Inter-| x\nface |y\nlo: ${net(9, 9)}\nvif${guest!.domid}.0: ${net(100, 7)}\nvif${guest!.domid}.0-emu: ${net(20, 1)}\n`
    site.faults.add({ match: 'net/dev', effect: { kind: 'lie', stdout: text } })
    const seen = (await xen.look(host)).domains.find((one) => one.domid === guest!.domid)
    expect(seen).toMatchObject({ txBytes: 120, rxBytes: 8 })
  })
})

describe('a create', () => {
  test('that ends well without a domain is told with what xl wrote down', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name } = await restingGuest(host)
    site.faults.add({ match: 'xl create', effect: { kind: 'vanish' } })
    site.faults.add({
      match: `xl-${name}.log`,
      effect: { kind: 'lie', stdout: 'Waiting\nDomain 2 has shut down, reason code 3 0x3\n' },
    })
    await expect(xen.create(host, { path: configPath, uuid, domainName: name }, 't.0')).rejects.toMatchObject({
      code: 'commandFailed',
      message: `${name} was started on xen1 and was gone at once: Waiting | Domain 2 has shut down, reason code 3 0x3`,
    })
  })

  test('passes over what a killed xl left in xenstore', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name, text } = await restingGuest(host)
    const armed = site.faults.add({ match: 'xenstore-exists', effect: { kind: 'lie' } })
    const made = await xen.create(host, { path: configPath, text, uuid, domainName: name }, 't.0')
    expect(armed.struck).toBe(1)
    expect(made.domains.find((one) => one.domid === made.domid)?.uuid).toBe(uuid)
  })

  test('works where xenstore-exists is missing', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name } = await restingGuest(host)
    site.faults.add({ match: 'xenstore-exists', effect: { kind: 'failBefore', exit: 127 } })
    expect((await xen.create(host, { path: configPath, uuid, domainName: name }, 't.0')).domid).toBeGreaterThan(0)
  })

  test('whose file cannot be written builds nothing', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name, text } = await restingGuest(host)
    const stderr = `dd: error writing '${configPath}.new': No space left on device\n`
    site.faults.add({ match: 'dd ', effect: { kind: 'failBefore', exit: 1, stderr } })
    await expect(xen.create(host, { path: configPath, text, uuid, domainName: name }, 't.0')).rejects.toMatchObject({
      code: 'noSpace',
    })
    expect((await xen.domains(host)).some((one) => one.uuid === uuid)).toBe(false)
  })

  test('whose name was taken meanwhile is no conflict where the file is written already', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name, text } = await restingGuest(host)
    const { stderr } = transcript('xl-4.17-create-duplicate')
    const effect = { kind: 'failBefore', exit: 3, stderr } as const
    site.faults.add({ match: 'xl create', effect })
    const config = { path: configPath, uuid, domainName: name }
    await expect(xen.create(host, config, 't.0')).rejects.toMatchObject({ code: 'conflict' })
    site.faults.add({ match: 'xl create', effect })
    await expect(xen.create(host, { ...config, text }, 't.0')).rejects.toMatchObject({ code: 'commandFailed' })
  })

  test('whose device model fails points at its log', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name } = await restingGuest(host)
    const { stderr } = transcript('xl-4.17-error-device-model')
    const config = { path: configPath, uuid, domainName: name }
    site.faults.add({ match: 'xl create', effect: { kind: 'failBefore', exit: 3, stderr } })
    await expect(xen.create(host, config, 't.0')).rejects.toMatchObject({
      code: 'commandFailed',
      message: `cannot start ${name} on xen1: its device model (QEMU) did not start; see /var/log/xen/qemu-dm-${name}.log`,
    })
    site.faults.add({ match: 'xl create', effect: { kind: 'failBefore', exit: 3, stderr } })
    site.faults.add({ match: 'qemu-dm', effect: { kind: 'lie', stdout: 'warming up\nqemu: could not open disk\n' } })
    await expect(xen.create(host, config, 't.0')).rejects.toThrow(
      `did not start: qemu: could not open disk (/var/log/xen/qemu-dm-${name}.log)`,
    )
  })

  test('whose device model tells first why it ends, and then what it takes down, shows why', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name } = await restingGuest(host)
    const { stderr } = transcript('xl-4.17-error-device-model')
    site.faults.add({ match: 'xl create', effect: { kind: 'failBefore', exit: 3, stderr } })
    const { stdout } = transcript('qemu-10.0-dm-log-undone')
    site.faults.add({ match: 'qemu-dm', effect: { kind: 'lie', stdout } })
    await expect(xen.create(host, { path: configPath, uuid, domainName: name }, 't.0')).rejects.toThrow(
      "did not start: xen-qemu-system-i386: Duplicate device ID 'xen-vkbd-0' (/var/log",
    )
  })

  test('whose QEMU takes no VNC password says so', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name } = await restingGuest(host)
    const { stderr } = transcript('xl-4.17-error-device-model')
    const log = transcript('qemu-7.2-dm-log-no-des')
    site.faults.add({ match: 'xl create', effect: { kind: 'failBefore', exit: 3, stderr } })
    site.faults.add({ match: 'qemu-dm', effect: { kind: 'lie', stdout: log.stdout } })
    await expect(xen.create(host, { path: configPath, uuid, domainName: name }, 't.0')).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('takes no VNC password'),
    })
  })

  test('that is lost on the way is unreachable, whatever became of it', async () => {
    const { site, host } = openSite()
    const { configPath, uuid, name } = await restingGuest(host)
    site.faults.add({ match: 'xl create', effect: { kind: 'lostAfter' } })
    await expect(xen.create(host, { path: configPath, uuid, domainName: name }, 't.0')).rejects.toMatchObject({
      code: 'unreachable',
    })
  })
})

describe('configuration files', () => {
  const put = async (host: Host, path: string, text: string) => {
    for (const part of writeFileAtomically(path, text)) await run(host, part)
  }

  test('a link in auto is not a second one, a file of its own there is', async () => {
    const { host } = openSite()
    const guest = await restingGuest(host)
    await run(host, { argv: ['mkdir', '-p', '/etc/xen/auto'], effect: 'change' })
    await run(host, { argv: ['ln', '-s', guest.configPath, `/etc/xen/auto/${guest.name}`], effect: 'change' })
    await put(host, '/etc/xen/auto/alone', 'name = "alone"\nkernel = "/x"\n')
    const paths = (await xen.configFiles(host)).map((file) => file.path)
    expect(paths).toContain(guest.configPath)
    expect(paths).not.toContain(`/etc/xen/auto/${guest.name}`)
    expect(paths).toContain('/etc/xen/auto/alone')
  })

  test('what is no guest’s, or would not be taken, is left out', async () => {
    const { host } = openSite()
    await put(host, '/etc/xen/pool.cfg', 'name = "pool"\ncpus = [ "1" ]\n')
    await put(host, '/etc/xen/broken.cfg', 'name = "broken\nkernel = 1\n')
    await put(host, '/etc/xen/nameless.cfg', 'kernel = "/x"\n')
    await put(host, '/etc/xen/xl.conf', 'type = "pv"\nname = "x"\n')
    const paths = (await xen.configFiles(host)).map((file) => file.path)
    expect(paths.filter((path) => /pool|broken|nameless|xl\.conf/.test(path))).toEqual([])
    expect(paths.length).toBeGreaterThan(0)
  })
})

test('a shutdown that the guest cannot hear is refused with why', async () => {
  const { site, host } = openSite()
  const stderr = `Shutting down domain 4
PV control interface not available: external graceful shutdown not possible.
Use "-F" to fallback to ACPI power event.
shutdown failed (rc=-9)
`
  site.faults.add({ match: 'xl shutdown', effect: { kind: 'failBefore', exit: 1, stderr } })
  await expect(xen.shutdown(host, 4, 't.0')).rejects.toMatchObject({ code: 'unsupported' })
})

describe('what is broken', () => {
  const TAG = 'test.0'
  test('where no socket and no file can be looked for, none is missing', async () => {
    for (const match of ['ls -1 /var/lib/xen', 'grep -o']) {
      const { site, host, create, state } = await openResting(TAG)
      await create(true)
      const armed = site.faults.add({ match, times: 9, effect: { kind: 'failBefore', exit: 127 } })
      expect(await state()).toBe('paused')
      expect((await xen.domains(host)).map((domain) => domain.state)).not.toContain('broken')
      expect(armed.struck).toBeGreaterThan(1)
    }
  })

  test('a healthy site is looked at in one round trip, a broken domain costs one more', async () => {
    const { site, host, name, create } = await openResting(TAG)
    let trips = 0
    const counted: Host = {
      ...host,
      open(...args) {
        trips++
        return host.open(...args)
      },
    }
    const { domid } = await create()
    await xen.look(counted)
    expect(trips).toBe(1)
    await xen.pause(host, domid, TAG)
    await xen.domains(counted)
    expect(trips).toBe(2)
    site.faults.leaveHalfTorn(name)
    await xen.domains(counted)
    expect(trips).toBe(4)
  })
})
