// Many VMs of one template at once, asked for by HTTP as a script would: all requests before the first is answered. Each
// has its turn, none runs into a time-out, all of their guests come up, and no address is there twice.
import { expect } from 'bun:test'
import { waitConsole } from './machine/console.ts'
import { guestCmdline } from './machine/guest.ts'
import { type LabHost, sh } from './machine/ssh.ts'
import { allDone, idsOf } from './manyJobs.ts'
import { pengxOutside, perform, serveOutside } from './pengx.ts'

const LINK = '/data-many'
const MEMORY_MIB = 96

export async function manyFromTemplate(host: LabHost, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `many${index}`)
  await sh(host, `rm -rf ${LINK}; mkdir ${LINK}`)
  const pengx = pengxOutside([host])
  await perform(pengx, 'storlink.create', 'many', '--link', LINK, '--type', 'LO', '--level', 'FL')
  const boot = ['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--cmdline', guestCmdline('many')]
  const made = await perform(
    pengx,
    'template.addNew',
    'many',
    '--storlink',
    'many',
    '--size',
    '16',
    '--type',
    'pv',
    ...boot,
  )
  const template = (made.result as { uuid: string }).uuid
  const api = await serveOutside(pengx)
  try {
    const vm = { template, memory: MEMORY_MIB, overlay: true, network: ['0'] }
    await allDone(
      api,
      names.map((name) => ['POST', '/vms/', { ...vm, name }]),
    )
    const ids = await idsOf(api, names)
    await allDone(
      api,
      ids.map((id) => ['POST', `/vms/${id}/start/`]),
    )
    for (const name of names) await waitConsole(host, name, /^READY name=many disks=xvda nics=eth0$/)
    const macs = await sh(host, "xenstore-ls -f /libxl | sed -n 's/.*\\/device\\/vif\\/.*\\/mac = //p' | sort")
    const addresses = macs.trim().split('\n')
    expect(addresses).toHaveLength(count)
    expect(new Set(addresses).size).toBe(count)
    await allDone(
      api,
      ids.map((id) => ['POST', `/vms/${id}/poweroff/`]),
    )
    await allDone(
      api,
      ids.map((id) => ['DELETE', `/vms/${id}/`]),
    )
    await allDone(api, [['DELETE', `/templates/${template}/`]])
    expect(await sh(host, `ls ${LINK}`)).toBe('')
  } finally {
    await api.stop()
  }
}
