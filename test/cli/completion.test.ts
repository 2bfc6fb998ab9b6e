import { describe, expect, test } from 'bun:test'
import { completions } from '../../src/cli/completion.ts'
import { shellCompletion } from '../contract/shellCompletion.ts'
import { openShell } from '../support/shell.ts'
import { createFakeEngine } from '../support/sites/fakeEngine.ts'
import { mockSite } from '../support/sites/screenSite.ts'

const engine = createFakeEngine(mockSite())
const complete = (...words: string[]) => completions(engine, words).split('\n').slice(0, -1)

describe('what may come next', () => {
  test('commands, before and after hosts and flags', () => {
    expect(complete('')).toContain('templates')
    expect(complete('root@xen1', '--db', 'run', 'st')).toEqual(['storlinks'])
    expect(complete('--re')).toEqual(['--read-only'])
    expect(complete('completion', '')).toEqual(['bash', 'zsh', 'fish'])
    expect(complete('vms', '--')).toEqual(['--json'])
    expect(complete('vms', '')).toEqual([])
  })

  test('operations, then what they act on by its name', () => {
    expect(complete('run', 'vm.s')).toEqual(['vm.start', 'vm.shutdown', 'vm.suspend', 'vm.smigrate'])
    expect(complete('run', 'vm.start', 'web0')).toEqual(['web01', 'web02', 'web03', 'web04', 'web05'])
    expect(complete('run', 'pm.remove', '')).toEqual(['xen1', 'xen2', 'xen3', 'xen4'])
    expect(complete('run', 'storlink.delete', 'v')).toEqual(['vg-fast'])
    expect(complete('run', 'template.delete', '')).toEqual(['debian12', 'win-서버'])
    expect(complete('run', 'vm.adopt', '')).toEqual(['webtest'])
    expect(complete('run', 'vm.start', 'web01', '')).toEqual([])
    expect(complete('export', 'web0')).toEqual(complete('run', 'vm.export', 'web0'))
    expect(complete('import', '/x.ova', '--storlink', 'v')).toEqual(['vg-fast'])
    expect(complete('disks', 'mail')).toEqual(['mail02'])
    expect(complete('nics', '--json', 'db0')).toEqual(['db01', 'db02'])
    expect(complete('disks', 'db01', '')).toEqual([])
  })

  test('parameters once, and what they can be', () => {
    expect(complete('run', 'vm.create', 'x', '--dis')).toEqual(['--disk-size', '--disk-format'])
    expect(complete('run', 'vm.create', 'x', '--disk-size', '5', '--dis')).toEqual(['--disk-format'])
    expect(complete('run', 'vm.create', 'x', '--disk-size', '')).toEqual([])
    expect(complete('run', 'vm.create', 'x', '--template', 'd')).toEqual(['debian12'])
    expect(complete('run', 'vm.create', 'x', '--storlink', '')).toEqual(['data', 'vg-fast'])
    expect(complete('run', 'vm.create', 'x', '--bridges', '')).toEqual(['xenbr0', 'xenbr1'])
    expect(complete('run', 'vm.create', '--type', 'pv')).toEqual(['pvh', 'pv'])
    expect(complete('run', 'vm.create', '--type=pv')).toEqual(['--type=pvh', '--type=pv'])
    expect(complete('run', 'disk.grow', 'db01', '--disk', '')).toEqual(['xvda'])
    expect(complete('run', 'nic.update', '--vm', 'db01', '--nic', '')).toEqual([])
    expect(complete('run', 'nic.update', 'db01', '--nic', '')).toEqual(['eth0'])
  })
})

describe('a flag', () => {
  const restore = (...words: string[]) => complete('run', 'snapshot.restore', ...words)

  test('is offered both ways, and not again when it is said', () => {
    expect(restore('--')).toEqual([
      '--snapshot',
      '--keep',
      '--no-keep',
      '--force',
      '--no-force',
      '--yes',
      '--json',
      '--plan',
      '--help',
    ])
    expect(restore('--no')).toEqual(['--no-keep', '--no-force'])
    for (const said of ['--keep', '--no-keep', '--keep=false']) expect(restore(said, '--k')).toEqual([])
    expect(complete('run', 'vm.create', '--bridges', 'a', '--br')).toEqual(['--bridges'])
  })

  test('takes true and false, and what comes next may be the target too', () => {
    expect(restore('db01', '--keep', '')).toEqual(['true', 'false', 'yes', 'no'])
    expect(restore('db01', '--keep', 'f')).toEqual(['false'])
    expect(restore('--keep=f')).toEqual(['--keep=false'])
    expect(restore('--keep', '')).toEqual(expect.arrayContaining(['true', 'false', 'db01']))
    expect(restore('--keep', 'false', 'db0')).toEqual(['db01', 'db02'])
    expect(restore('db01', '--no-keep', '')).toEqual([])
    expect(restore('--keep', 'db01', '')).toEqual([])
  })
})

shellCompletion('bash', () => openShell('bash'))

describe('bash', () => {
  test('takes words apart that stand in quotes', async () => {
    const shell = await openShell('bash')
    await shell.completes('pengx run vm.start "web 0', '"web 01" ')
    await shell.completes('pengx run vm.start \\$', '\\$\\(touch\\ ')
    await shell.close()
  })
})
