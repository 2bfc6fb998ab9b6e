// Many VMs of one template at once, asked for by HTTP as a script would: all requests before the first is answered. Each
// has its turn, none runs into a time-out, all of their guests come up, and no address is there twice.
import { expect } from 'bun:test'
import { waitConsole } from './machine/console.ts'
import { type LabHost, sh } from './machine/ssh.ts'
import { pengxOutside, perform, type Served, serveOutside } from './pengx.ts'

const LINK = '/data-many'
const MEMORY_MIB = 96

export async function manyFromTemplate(host: LabHost, count: number): Promise<void> {
  const names = Array.from({ length: count }, (_, index) => `many${index}`)
  await sh(host, `rm -rf ${LINK}; mkdir ${LINK}`)
  const pengx = pengxOutside([host])
  await perform(pengx, 'storlink.create', 'many', '--link', LINK, '--type', 'LO', '--level', 'FL')
  const cmdline = 'console=hvc0 loglevel=3 mitigations=off random.trust_cpu=on gname=many gmode=idle'
  const boot = ['--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd', '--cmdline', cmdline]
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

type Request = readonly [method: string, path: string, body?: object]

/** All are asked before one is done; every one of them must end well. */
async function allDone(api: Served, requests: readonly Request[]): Promise<void> {
  const answers = await Promise.all(
    requests.map(([method, path, body]) => api.ask(method, path, body, 'respond-async')),
  )
  expect(answers.map(({ status }) => status)).toEqual(requests.map(() => 202))
  let open = answers.map(({ body }) => (body.job as { id: string }).id)
  while (open.length > 0) {
    const jobs = await Promise.all(open.map(async (id) => (await api.ask('GET', `/jobs/${id}/`)).body.job as JobRow))
    const bad = jobs.filter((job) => !['queued', 'running', 'done'].includes(job.state))
    expect(bad).toEqual([])
    open = open.filter((_, index) => jobs[index]!.state !== 'done')
    await Bun.sleep(300)
  }
}

interface JobRow {
  readonly state: string
  readonly message: string
}

async function idsOf(api: Served, names: readonly string[]): Promise<string[]> {
  const { vms } = (await api.ask('GET', '/vms/')).body as { vms: { id: string; name: string }[] }
  return names.map((name) => vms.find((vm) => vm.name === name)!.id)
}
