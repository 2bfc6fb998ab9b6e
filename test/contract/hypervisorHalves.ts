import { describe, expect, test } from 'bun:test'
import type { Host } from '../../src/engine/host/host.ts'
import { run } from '../../src/engine/host/run.ts'
import type { DomainSeen } from '../../src/engine/hypervisor/domain.ts'
import type { Hypervisor } from '../../src/engine/hypervisor/hypervisor.ts'

export interface HypervisorSite {
  readonly host: Host
  readonly hypervisor: Hypervisor
  /** A guest that is not running: its configuration on the host, as `configFiles` or by path alone. */
  readonly guest: { readonly configPath: string; readonly uuid: string; readonly name: string }
  /** An xl that ends half way, as a machine that loses its pengx does it; and what kills a QEMU. */
  readonly cutOff: {
    /** `xl create` of the guest, with its domain made and not whole. */
    create(): Promise<void>
    /** `xl destroy`, with its QEMU gone and the domain there. */
    destroy(domid: number): Promise<void>
    qemu(domid: number): Promise<void>
  }
  /** Between two looks while something is waited for. */
  readonly pollMs: number
}

export const TAG = 'contract.0'

/** How the suite of hypervisors looks at its guest. */
export interface GuestActs {
  site(): HypervisorSite
  find(): Promise<DomainSeen | undefined>
  need(): Promise<DomainSeen>
  waitFor(what: string, is: (domain: DomainSeen | undefined) => boolean): Promise<DomainSeen | undefined>
  start(): Promise<{ readonly domid: number }>
}

/** What an xl leaves that was cut off, and that what is there is what is said: a part of the suite of hypervisors. */
export function halvesSuite({ site, find, need, waitFor, start }: GuestActs): void {
  describe('what is only half there is broken, helped by nothing but its end', () => {
    const clears = async (domid: number) => {
      const looked = (await site().hypervisor.look(site().host)).domains.find((domain) => domain.domid === domid)
      expect(looked?.state).toBe('broken')
      await site().hypervisor.destroy(site().host, domid, TAG)
      await waitFor('a destroyed domain', (domain) => domain === undefined)
    }

    test('half built', async () => {
      await site().cutOff.create()
      const half = await waitFor('a domain that nobody builds', (domain) => domain?.state === 'broken')
      await expect(start()).rejects.toMatchObject({ code: 'conflict' })
      await expect(site().hypervisor.unpause(site().host, half!.domid, TAG)).rejects.toMatchObject({
        code: 'commandFailed',
        message: expect.stringContaining('it is broken'),
      })
      await clears(half!.domid)
    })

    test('half torn down', async () => {
      const { domid } = await start()
      await waitFor('a running guest', (domain) => domain?.state === 'running')
      await site().cutOff.destroy(domid)
      expect(await need()).toMatchObject({ domid, state: 'broken' })
      await clears(domid)
    })

    test('without its QEMU, though its processors run', async () => {
      const { domid } = await start()
      await waitFor('a running guest', (domain) => domain?.state === 'running')
      await site().cutOff.qemu(domid)
      expect(await need()).toMatchObject({ domid, state: 'broken' })
      await site().hypervisor.pause(site().host, domid, TAG)
      expect(await need()).toMatchObject({ domid, state: 'broken' })
      await clears(domid)
    })

    test('and a domain that is being built or torn down is not', async () => {
      const seen = new Set<string>()
      const watch = async (work: Promise<unknown>) => {
        let over = false
        const end = work.finally(() => {
          over = true
        })
        while (!over) {
          const domain = await find()
          if (domain) seen.add(domain.state)
          await Bun.sleep(0)
        }
        await end
      }
      await watch(start())
      const { domid } = await need()
      await watch(site().hypervisor.destroy(site().host, domid, TAG))
      await waitFor('a destroyed domain', (domain) => domain === undefined)
      expect([...seen]).not.toContain('broken')
    })
  })

  describe('what is there is what is said', () => {
    test('paused twice by somebody, it goes on', async () => {
      const { domid } = await start()
      for (let turn = 0; turn < 2; turn++)
        await run(site().host, { argv: ['xl', 'pause', String(domid)], effect: 'change' })
      await site().hypervisor.unpause(site().host, domid, TAG)
      expect(await need()).toMatchObject({ domid, state: 'running' })
      await site().hypervisor.unpause(site().host, domid, TAG)
      await site().hypervisor.destroy(site().host, domid, TAG)
      await waitFor('a destroyed domain', (domain) => domain === undefined)
    })
  })
}
