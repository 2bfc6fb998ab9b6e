import type { Template } from '../../model/template.ts'
import type { AppContext } from '../app/context.ts'
import { setList } from '../app/list.ts'
import type { KeyRow } from '../screen.ts'
import { vmList } from '../vm/list.ts'
import { upkeepOf } from './list.ts'

/** What can be asked of templates by one key, the same in the list and on the screen of one. */
export function templateKeys(chosen: (app: AppContext) => Template | undefined): readonly KeyRow[] {
  const noTemplate = (app: AppContext) => (chosen(app) === undefined ? 'there is no template here' : undefined)
  return [
    {
      key: 'c',
      title: 'make a VM',
      help: 'a VM from this template: a full copy, or an overlay on its disks',
      operation: 'vm.create',
      fresh: true,
      refuse: noTemplate,
      raw: (app): Readonly<Record<string, string>> => {
        const template = chosen(app)
        return template === undefined ? {} : { template: template.uuid }
      },
    },
    { key: 's', title: 'boot', help: 'for upkeep: a VM runs on its own disks', operation: 'template.start' },
    { key: 'd', title: 'end upkeep', operation: 'template.shutdown' },
    { key: 'e', title: 'edit', operation: 'template.update' },
    {
      key: 'o',
      title: 'its VMs',
      refuse: noTemplate,
      act: (app) => {
        const { name } = chosen(app)!
        app.jump({ screen: 'vms' })
        setList(app, vmList, { filter: `template:${name.split(' ').join(' template:')}` })
      },
    },
    {
      key: 'u',
      title: 'its upkeep VM',
      quiet: true,
      refuse: (app) => noTemplate(app) ?? (upkeepOf(chosen(app)!, app) ? undefined : 'it is not booted for upkeep'),
      act: (app) => app.go({ screen: 'vm', id: chosen(app)!.uuid }),
    },
    { key: 'D', title: 'delete', operation: 'template.delete' },
  ]
}
