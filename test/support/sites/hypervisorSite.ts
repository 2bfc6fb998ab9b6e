import type { Host } from '../../../src/engine/host/host.ts'
import { xen } from '../../../src/engine/hypervisor/xen.ts'
import { createSimSite, type SimSite } from '../../../src/sim/site.ts'

/** One simulated PM with a few guests, on which nothing takes time. */
export function openSite(): { site: SimSite; host: Host } {
  const site = createSimSite({ vmCount: 6, pmCount: 1, pace: 0 })
  return { site, host: site.host(site.pmNames[0]!) }
}

/** One of the site's own guests, put to rest. */
export async function restingGuest(host: Host) {
  const domains = await xen.domains(host)
  for (const file of await xen.configFiles(host)) {
    const { spec } = await xen.readConfig(host, file.path)
    if (file.uuid === undefined || spec.type !== 'pv' || !spec.boot.kernel || spec.nics.length === 0) continue
    const domain = domains.find((one) => one.uuid === file.uuid)
    if (domain) await xen.destroy(host, domain.domid, 'test.0')
    return {
      configPath: file.path,
      uuid: file.uuid,
      name: file.name,
      text: (await xen.readConfig(host, file.path)).text,
    }
  }
  throw new Error('the simulated site has no PV guest with a kernel')
}

/** A guest that is shut down, and what a test does with it. */
export async function openResting(tag: string) {
  const { site, host } = openSite()
  const { configPath, uuid, name } = await restingGuest(host)
  const create = (paused = false) => xen.create(host, { path: configPath, uuid, domainName: name, paused }, tag)
  const state = async () => (await xen.domains(host)).find((domain) => domain.uuid === uuid)?.state
  return { site, host, name, create, state }
}
