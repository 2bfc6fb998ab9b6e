import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { completionScript } from '../../src/cli/completion.ts'
import { openStore } from '../../src/engine/store/store.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { aDisk, aPm, aStorlink, aVm } from '../engine/store/samples.ts'
import { PENGX } from './pengx.ts'
import { openPty, type Pty } from './pty.ts'
import { templateOf } from './sites/screenSite.ts'
import { until } from './until.ts'

/** A real shell in a real terminal that has loaded our completion and completes against a store with hard names. */
export interface Shell {
  readonly pty: Pty
  /** Types a line and a tab; waits until the line on the terminal is what it has to become. */
  completes(line: string, wanted: string): Promise<void>
  /** Types a line and tabs; waits until all of these are offered. */
  offers(line: string, ...wanted: readonly string[]): Promise<void>
  /** What was run as a command by completing: a file that a name tries to make. */
  readonly trap: string
  close(): Promise<void>
}

const START: Record<'bash' | 'zsh' | 'fish', (script: string) => readonly [readonly string[], string]> = {
  bash: (script) => [
    ['bash', '--noprofile', '--norc', '-i'],
    `PS1='ready> '; bind 'set enable-bracketed-paste off'; . ${script}`,
  ],
  zsh: (script) => [['zsh', '-f', '-i'], `PROMPT='ready> '; autoload -Uz compinit; compinit -u -D; . ${script}`],
  fish: (script) => [['fish', '--no-config', '-i'], `function fish_prompt; echo -n 'ready> '; end; source ${script}`],
}

export async function openShell(name: keyof typeof START): Promise<Shell> {
  const directory = mkdtempSync(join(tmpdir(), 'pengx-shell-'))
  const trap = join(directory, 'trapped')
  const db = join(directory, 'site.db')
  await fillStore(db, trap)
  const script = join(directory, `pengx.${name}`)
  writeFileSync(script, completionScript(name))
  const command = join(directory, 'pengx')
  writeFileSync(command, `#!/bin/sh\nshift\nexec ${PENGX.join(' ')} complete --db ${db} "$@"\n`)
  chmodSync(command, 0o755)
  const [argv, load] = START[name](script)
  const pty = openPty(argv, {
    columns: 160,
    env: {
      HOME: directory,
      PATH: `${directory}:${process.env.PATH}`,
      TERM: name === 'fish' ? 'xterm' : 'dumb',
      HISTFILE: '/dev/null',
    },
  })
  let marks = 0
  const fresh = async () => {
    // Escape leaves what is offered, ctrl-u takes the line away.
    if (name === 'fish') pty.type('\x1b')
    pty.type('\x15')
    const mark = `<${++marks}>`
    pty.type(`echo "<"${marks}">"\r`)
    const rest = () => pty.text().slice(pty.text().lastIndexOf(mark))
    await until(() => pty.text().includes(mark) && rest().includes('ready> '), `a prompt, not ${pty.text()}`)
    pty.forget()
  }
  pty.type(`${load}\r`)
  await pty.shows('ready> ')
  return {
    pty,
    trap,
    async completes(line, wanted) {
      await fresh()
      pty.type(line)
      pty.type('\t')
      await pty.shows(wanted)
    },
    async offers(line, ...wanted) {
      await fresh()
      pty.type(line)
      // fish lists at once; in the others the second one asks for it.
      pty.type(name === 'fish' ? '\t' : '\t\t')
      for (const one of wanted) await pty.shows(one)
    },
    async close() {
      pty.kill('SIGKILL')
      await pty.exited
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

async function fillStore(path: string, trap: string): Promise<void> {
  const store = await openStore({ at: { path }, clock: systemClock })
  const pm = aPm({ name: 'xen1', seen: { ...aPm().seen, reach: 'up', at: 1, bridges: ['xenbr0', 'xenbr7'] } })
  await store.inventory.putPm(pm)
  const storlink = await store.inventory.putStorlink(aStorlink(pm.uuid, { name: 'images', link: '/data/images' }))
  const names = ['web 01', 'db:old', `$(touch ${trap})`, "o'clock", '한국어-vm']
  await store.inventory.putVms(
    names.map((name) => aVm(pm.uuid, { name, domainName: name, disks: [aDisk('xvda'), aDisk('xvdq')] })),
  )
  const template = templateOf(1, 'debian12', { pm: pm.uuid })
  const disks = template.disks.map((disk) => ({ ...disk, storlink }))
  await store.inventory.putTemplate({ ...template, disks })
  await store.close()
}
