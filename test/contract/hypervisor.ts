import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { run } from '../../src/engine/host/run.ts'
import type { DomainSeen } from '../../src/engine/hypervisor/domain.ts'
import { newUuid } from '../../src/lib/ids.ts'
import { type HypervisorSite, halvesSuite, TAG } from './hypervisorHalves.ts'

const PATIENCE_MS = 300_000

/** What every hypervisor does alike, on the simulated site and on a real Xen. One guest lives through it all. */
export function hypervisorSuite(kind: string, open: () => Promise<HypervisorSite>): void {
  describe(kind, () => {
    let site: HypervisorSite
    const made: string[] = []
    beforeAll(async () => {
      site = await open()
    })
    afterAll(async () => {
      const { host, hypervisor } = site
      for (const domain of await hypervisor.domains(host)) {
        if (domain.uuid === site.guest.uuid) await hypervisor.destroy(host, domain.domid, TAG)
      }
      for (const path of made) await hypervisor.removeConfig(host, path, TAG)
      await host.close()
    })

    const find = async (uuid = site.guest.uuid): Promise<DomainSeen | undefined> =>
      (await site.hypervisor.domains(site.host)).findLast((domain) => domain.uuid === uuid)
    const need = async (): Promise<DomainSeen> => {
      const domain = await find()
      if (!domain) throw new Error(`${site.guest.name} has no domain`)
      return domain
    }
    const waitFor = async (what: string, is: (domain: DomainSeen | undefined) => boolean) => {
      const deadline = performance.now() + PATIENCE_MS
      for (;;) {
        const domain = await find()
        if (is(domain)) return domain
        if (performance.now() > deadline) throw new Error(`${what} did not come about, last ${JSON.stringify(domain)}`)
        await Bun.sleep(site.pollMs)
      }
    }
    const text = async () => (await site.hypervisor.readConfig(site.host, site.guest.configPath)).text
    const start = () => {
      const { configPath, uuid, name } = site.guest
      return site.hypervisor.create(site.host, { path: configPath, uuid, domainName: name }, TAG)
    }
    /** A create of the guest's configuration with lines changed, under another name and UUID. */
    const attempt = async (change: (text: string) => string, options: { name?: string; uuid?: string } = {}) => {
      const { name = 'wrong', uuid = newUuid() } = options
      const path = `/tmp/pengx-contract-${name}.cfg`
      made.push(path)
      const own = (await text()).replace(/^name *=.*$/m, `name = "${name}"`).replace(/^uuid *=.*$/m, '')
      return await site.hypervisor.create(site.host, { path, text: change(own), uuid, domainName: name }, TAG)
    }

    test('a look tells what the machine is', async () => {
      const look = await site.hypervisor.look(site.host)
      expect(look.machineId).toMatch(/^[0-9a-f]{32}$/)
      expect(look.bootId).toMatch(/^[0-9a-f-]{36}$/)
      expect(look.hostname).toMatch(/^[a-z0-9.-]+$/)
      expect(look.xenVersion).toMatch(/^4\.\d+/)
      expect(look.kernel).toMatch(/^\d+\.\d+/)
      expect(look.uptimeSeconds).toBeGreaterThan(0)
      expect(look.cpuCount).toBeGreaterThan(0)
      expect(look.totalMib).toBeGreaterThan(look.freeMib)
      expect(look.freeMib).toBeGreaterThan(0)
      expect(look.domains[0]).toMatchObject({ domid: 0, name: 'Domain-0', state: 'running' })
      expect(look.interfaces.length).toBeGreaterThan(0)
      for (const card of look.interfaces) {
        expect(card.name).not.toMatch(/^(lo|vif|tap)/)
        expect(card.mac).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/)
      }
      expect(look.interfaces.some((card) => /^\d+\.\d+\.\d+\.\d+$/.test(card.ip))).toBe(true)
      expect(look.bridges.length).toBeGreaterThan(0)
    })

    test('what is configured is read', async () => {
      const { guest, host, hypervisor } = site
      const config = await hypervisor.readConfig(host, guest.configPath)
      expect(config).toMatchObject({ path: guest.configPath, name: guest.name, spec: { domainName: guest.name } })
      expect(config.spec.disks.length).toBeGreaterThan(0)
      await expect(hypervisor.readConfig(host, '/etc/xen/no-such.cfg')).rejects.toMatchObject({
        code: 'notFound',
        message: expect.stringContaining('/etc/xen/no-such.cfg'),
      })
    })

    test('a configuration is written for root alone, found, and removed twice', async () => {
      const { host, hypervisor, guest } = site
      const path = '/etc/xen/pengx contract.cfg'
      made.push(path)
      const { spec } = await hypervisor.readConfig(host, guest.configPath)
      const uuid = newUuid()
      const written = hypervisor.formatConfig(uuid, { ...spec, name: 'Web & "Mail"', domainName: `vm-${uuid}` })
      await hypervisor.writeConfig(host, path, written, TAG)
      await hypervisor.writeConfig(host, path, written, TAG)
      expect((await run(host, { argv: ['stat', '-c', '%a', path], effect: 'read' })).stdout.trim()).toBe('600')
      const found = (await hypervisor.configFiles(host)).find((file) => file.path === path)
      expect(found).toMatchObject({ path, links: [], uuid, name: `vm-${uuid}`, spec: { name: 'Web & "Mail"' } })
      expect((await hypervisor.readConfig(host, path)).text).toBe(written)
      await hypervisor.removeConfig(host, path, TAG)
      await hypervisor.removeConfig(host, path, TAG)
      expect((await hypervisor.configFiles(host)).some((file) => file.path === path)).toBe(false)
    })

    test('a link that starts a guest with the machine is made where nothing is, seen by its file, and taken away', async () => {
      const { hypervisor, host, guest } = site
      const link = { path: '/etc/xen/auto/97-pengx-contract.cfg', target: guest.configPath }
      const other = { ...link, target: '/etc/xen/nowhere.cfg' }
      const entry = async () => {
        const { entries } = await hypervisor.autostart(host, ['/etc/xen/none.cfg', guest.configPath])
        return entries.find(({ path }) => path === link.path)
      }
      expect(await entry()).toBeUndefined()
      for (const _twice of [1, 2]) await hypervisor.addAutostartLink(host, link, TAG)
      expect(await entry()).toEqual({ ...link, configs: [guest.configPath] })
      expect(await hypervisor.hasAutostartLink(host, other)).toBe(false)
      await expect(hypervisor.addAutostartLink(host, other, TAG)).rejects.toMatchObject({ code: 'conflict' })
      await hypervisor.removeAutostartLink(host, other, TAG)
      expect(await hypervisor.hasAutostartLink(host, link)).toBe(true)
      for (const _twice of [1, 2]) await hypervisor.removeAutostartLink(host, link, TAG)
      expect(await entry()).toBeUndefined()
    })

    test('create gives the domain of that UUID', async () => {
      expect(await find()).toBeUndefined()
      const { domid, domains } = await start()
      expect(domains.find((domain) => domain.domid === domid)).toMatchObject({
        uuid: site.guest.uuid,
        name: site.guest.name,
      })
      expect((await need()).domid).toBe(domid)
      await waitFor('a running guest', (domain) => domain?.state === 'running' && domain.memoryMib > 0)
    })

    test('what runs tells what it was built from', async () => {
      const { host, hypervisor, guest } = site
      const { domid } = await need()
      const { spec } = await hypervisor.readConfig(host, guest.configPath)
      const [detail] = await hypervisor.details(host, [domid])
      expect(detail).toMatchObject({ domid, uuid: guest.uuid, kept: [], lost: [] })
      expect(detail!.spec).toEqual(spec)
      expect(detail!.startedAt).toBeGreaterThan(1_500_000_000)
      expect(detail!.vncPort !== undefined).toBe(spec.vnc !== undefined)
      expect((await hypervisor.details(host, [])).map((one) => one.uuid)).toContain(guest.uuid)
      expect(await hypervisor.details(host, [0])).toEqual([])
      expect(await hypervisor.details(host, [31_000])).toEqual([])
    })

    test('its disks are counted, again and again', async () => {
      const { host, hypervisor, guest } = site
      const { domid } = await need()
      const { spec } = await hypervisor.readConfig(host, guest.configPath)
      for (let turn = 0; turn < 3; turn++) {
        const counters = await hypervisor.diskCounters(host, domid)
        expect(counters.map((one) => one.vdev).sort()).toEqual(spec.disks.map((disk) => disk.vdev).sort())
        for (const one of counters) expect(one.readBytes).toBeGreaterThanOrEqual(0)
      }
      expect(await hypervisor.diskCounters(host, 31_000)).toEqual([])
    })

    test('its wires are counted', async () => {
      const look = async () =>
        (await site.hypervisor.look(site.host)).domains.find((domain) => domain.uuid === site.guest.uuid)
      const deadline = performance.now() + PATIENCE_MS
      while (((await look())?.txBytes ?? 0) === 0 && performance.now() < deadline) await Bun.sleep(site.pollMs)
      expect((await look())?.txBytes).toBeGreaterThan(0)
    })

    test('a second one of its UUID or of its name is a conflict, and nothing is written', async () => {
      const { host, hypervisor, guest } = site
      const before = (await need()).domid
      await expect(start()).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining(`runs there already as domain ${before}`),
      })
      await expect(attempt((own) => own, { name: 'other', uuid: guest.uuid })).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining(`named "${guest.name}"`),
      })
      await expect(hypervisor.readConfig(host, '/tmp/pengx-contract-other.cfg')).rejects.toMatchObject({
        code: 'notFound',
      })
      await expect(attempt((own) => own, { name: guest.name })).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining('has that name'),
      })
      expect((await need()).domid).toBe(before)
    })

    test('pause and unpause', async () => {
      const { host, hypervisor } = site
      const { domid } = await need()
      await hypervisor.pause(host, domid, TAG)
      expect(await need()).toMatchObject({ domid, state: 'paused' })
      await hypervisor.unpause(host, domid, TAG)
      expect(await need()).toMatchObject({ domid, state: 'running' })
    })

    test('a reboot gives another domain of the same UUID', async () => {
      const { domid } = await need()
      await site.hypervisor.reboot(site.host, domid, TAG)
      const rebooted = await waitFor('a reboot', (domain) => domain?.state === 'running' && domain.domid !== domid)
      expect(rebooted?.name).toBe(site.guest.name)
    })

    test('a shutdown ends in no domain', async () => {
      const { domid } = await need()
      await site.hypervisor.shutdown(site.host, domid, TAG)
      await waitFor('a shutdown', (domain) => domain === undefined)
      for (const ask of [
        site.hypervisor.shutdown,
        site.hypervisor.reboot,
        site.hypervisor.pause,
        site.hypervisor.unpause,
      ])
        await expect(ask(site.host, domid, TAG)).rejects.toMatchObject({ code: 'notFound' })
    })

    test('destroy ends it at once, and what is gone is destroyed', async () => {
      const { domid } = await start()
      await site.hypervisor.destroy(site.host, domid, TAG)
      await waitFor('a destroyed domain', (domain) => domain === undefined)
      await site.hypervisor.destroy(site.host, domid, TAG)
    })

    test('created paused, it has not begun', async () => {
      const { configPath, uuid, name } = site.guest
      const { domid } = await site.hypervisor.create(
        site.host,
        { path: configPath, uuid, domainName: name, paused: true },
        TAG,
      )
      expect(await need()).toMatchObject({ domid, state: 'paused' })
      await site.hypervisor.destroy(site.host, domid, TAG)
      await waitFor('a destroyed domain', (domain) => domain === undefined)
    })

    halvesSuite({ site: () => site, find, need, waitFor, start })

    describe('what cannot start says why', () => {
      test('no disk', async () => {
        await expect(attempt((own) => own.replace(/target=[^"',]+/, 'target=/nowhere/x.qcow2'))).rejects.toMatchObject({
          code: 'notFound',
          message: expect.stringMatching(/cannot start wrong on .*there is no \/nowhere\/x\.qcow2/),
        })
      })

      test('no kernel', async () => {
        await expect(
          attempt((own) => own.replace(/^kernel *=.*$/m, 'kernel = "/nowhere/vmlinuz"')),
        ).rejects.toMatchObject({
          code: 'notFound',
          message: expect.stringContaining('/nowhere/vmlinuz'),
        })
      })

      test('no bridge', async () => {
        await expect(attempt((own) => own.replace(/bridge=[^"',]+/, 'bridge=nobr9'))).rejects.toMatchObject({
          message: expect.stringMatching(/nobr9|device model/),
        })
      })

      test('no memory', async () => {
        const huge = (own: string) => `${own.replace(/^(max)?mem(ory)? *=.*$/gm, '')}\nmemory = 4000000\n`
        await expect(attempt(huge)).rejects.toMatchObject({
          code: 'noSpace',
          message: expect.stringMatching(/\d+ MiB of memory are free, it asks for 4000000 MiB/),
        })
      })

      test('a configuration that is none, and no word of its passwords', async () => {
        const broken = (own: string) => `vncpasswd = "hunter2"\n${own}\nmemory = oops\n`
        const failure = await attempt(broken).catch((error) => error)
        expect(failure).toMatchObject({
          code: 'invalid',
          message: expect.stringMatching(/wrong\.cfg:\d+: syntax error/),
        })
        const quoted = await attempt((own) => `${own}\nvncpasswd = "hunter2\n`).catch((error) => error)
        expect(quoted).toMatchObject({ code: 'invalid' })
        for (const error of [failure, quoted]) {
          expect(`${error.message} ${JSON.stringify(error.cause)} ${error.stack}`).not.toContain('hunter2')
        }
      })

      test('no configuration', async () => {
        const config = { path: '/nowhere/x.cfg', uuid: newUuid(), domainName: 'wrong' }
        await expect(site.hypervisor.create(site.host, config, TAG)).rejects.toMatchObject({
          code: 'notFound',
          message: expect.stringContaining('/nowhere/x.cfg'),
        })
      })

      test('and leaves no domain', async () => {
        const names = (await site.hypervisor.domains(site.host)).map((domain) => domain.name)
        expect(names).not.toContain('wrong')
      })
    })
  })
}
