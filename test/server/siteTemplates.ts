import type { Template } from '../../src/model/template.ts'
import type { Vm } from '../../src/model/vm.ts'
import type { FakeEngine } from '../support/sites/fakeEngine.ts'

/** The site's templates: one that nobody uses, and one that a VM was made from; and what becomes of them. */

export const TEMPLATE = '0e000000-0000-4000-8000-000000000001'
export const USED = '0e000000-0000-4000-8000-000000000002'
const MADE_TEMPLATE = '0e000000-0000-4000-8000-0000000000ff'

export function templatesOf(pm: string, at: number): Template[] {
  const disk = (uuid: string, sizeMib: number) => {
    const path = `/data/${uuid}.qcow2`
    return { uuid, format: 'qcow2', sizeMib, path, storlink: 1, desc: '', createdAt: at } as const
  }
  const common = { pm, type: 'hvm', boot: { order: 'c' }, osArch: 'X64', createdAt: at } as const
  return [
    {
      ...common,
      uuid: TEMPLATE,
      name: 'debian 8 64bit template',
      os: 'DEBIAN',
      desc: 'Debian 8 jessie 64bit template',
      disks: [disk('bed05d84-7c44-4720-9588-57cbd8ecef8c', 10_240), disk('bed05d84-7c44-4720-9588-57cbd8ecef8d', 512)],
    },
    {
      ...common,
      uuid: USED,
      name: 'win <&>',
      os: 'WINDOWS',
      desc: '',
      disks: [disk('bed05d84-7c44-4720-9588-57cbd8ecef8e', 20_480)],
      bootedAt: at + 3_600_000,
    },
  ]
}

/** Jobs that make a template, or boot one for upkeep, leave behind what the real ones do. */
export function runTemplates(engine: FakeEngine): void {
  for (const operation of ['template.add', 'template.addNew', 'template.create']) {
    engine.onRun(operation, async (params) => {
      const { name, desc } = params as { name: string; desc: string }
      const made: Template = { ...engine.site.templates[0]!, uuid: MADE_TEMPLATE, name, desc }
      const change = { kind: 'template', id: MADE_TEMPLATE } as const
      const others = engine.site.templates.filter((template) => template.uuid !== MADE_TEMPLATE)
      engine.set({ templates: [...others, made] }, [change])
      return { result: { uuid: MADE_TEMPLATE, name } }
    })
  }
  engine.onRun('template.start', async (params, job) => {
    const { template: uuid } = params as { template: string }
    const { site, view } = engine
    const { name, bootedAt: _before, ...template } = view.needTemplate(uuid)
    const like = site.vms.find((vm) => vm.seen.state === 'running')!
    const vm: Vm = { ...like, uuid, name: `upkeep of ${name}`, template: uuid, bootedAt: job.createdAt, disks: [] }
    const templates = site.templates.map((one) =>
      one.uuid === uuid ? { ...template, name, bootedAt: job.createdAt } : one,
    )
    engine.set({ vms: [...site.vms, vm], templates }, [{ kind: 'template', id: uuid }])
    return { result: { uuid, vm: vm.name } }
  })
}
