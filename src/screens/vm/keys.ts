import type { Vm } from '../../model/vm.ts'
import type { AppContext } from '../app/context.ts'
import { openTerminal } from '../app/terminal.ts'
import type { KeyRow } from '../screen.ts'

/** What can be asked of VMs by one key, the same in the list and on the screen of one VM. */
export function vmKeys(chosen: (app: AppContext) => Vm | undefined): readonly KeyRow[] {
  const noVm = (app: AppContext) => (chosen(app) === undefined ? 'there is no VM here' : undefined)
  return [
    { key: 's', title: 'start', operation: 'vm.start' },
    { key: 'd', title: 'shut down', operation: 'vm.shutdown' },
    { key: 'P', title: 'power off', operation: 'vm.poweroff' },
    { key: 'z', title: 'pause', operation: 'vm.suspend' },
    { key: 'z', title: 'resume', operation: 'vm.resume' },
    { key: 'b', title: 'reboot', operation: 'vm.reboot' },
    { key: 'R', title: 'reset', operation: 'vm.reset', quiet: true },
    { key: 'n', title: 'snapshot', operation: 'snapshot.create' },
    { key: 'u', title: 'back up', operation: 'backup.create' },
    {
      key: 't',
      title: 'snapshots',
      help: 'their tree, and where the VM is in it',
      refuse: noVm,
      quiet: true,
      act(app) {
        const { uuid: id } = chosen(app)!
        app.choose('vm.tab', 'snapshots')
        if (app.route().screen !== 'vm') app.go({ screen: 'vm', id })
      },
    },
    {
      key: 'c',
      title: 'console',
      help: 'the guest’s own console; the way out is told first',
      refuse: (app) => noVm(app) ?? (chosen(app)!.seen.domid === undefined ? 'it does not run' : undefined),
      act: (app) => openTerminal(app, { console: chosen(app)!.uuid }, `console of ${chosen(app)!.name}`),
    },
    {
      key: 'S',
      title: 'shell on its PM',
      refuse: noVm,
      quiet: true,
      act: (app) => {
        const { pm } = chosen(app)!
        openTerminal(app, { shell: pm }, `shell on ${app.view().getPm(pm)?.name ?? pm}`)
      },
    },
    {
      key: 'A',
      title: 'adopt',
      help: 'takes a found VM under care; its file is left as it is',
      operation: 'vm.adopt',
      refuse: (app) => noVm(app) ?? (chosen(app)!.origin === 'found' ? undefined : 'it is under care already'),
    },
    {
      key: 'e',
      title: 'edit',
      help: 'its name and notes, and whether it starts with its PM',
      operation: 'vm.edit',
      quiet: true,
    },
    { key: 'E', title: 'resize', help: 'its VCPUs and memory', operation: 'vm.resize', quiet: true },
    {
      key: 'C',
      title: 'copy',
      help: 'one or more VMs with what its disks hold now',
      operation: 'vm.copy',
      quiet: true,
    },
    { key: 'T', title: 'make a template', operation: 'template.create', quiet: true },
    { key: 'M', title: 'migrate', help: 'to another PM that sees its disks', operation: 'vm.migrate', quiet: true },
    { key: 'D', title: 'delete', operation: 'vm.delete' },
  ]
}
