import { type Figure, inTurns, timed } from './measure.ts'
import { makeStore, PENGX } from './site.ts'

/** Runs a program to its end, its output thrown away. */
async function run(argv: readonly string[], okExits: readonly number[]): Promise<void> {
  const child = Bun.spawn([...argv], { stdin: 'ignore', stdout: 'ignore', stderr: 'ignore' })
  const exit = await child.exited
  if (!okExits.includes(exit)) throw new Error(`${argv.join(' ')} exited with ${exit}`)
}

/** From the start of a process to its end: `--version` beside the smallest of programs, and a list against N. */
export async function measureStartUp(): Promise<Figure[]> {
  const small = await inTurns(40, {
    version: () => timed(() => run([PENGX, '--version'], [0])),
    smallest: () => timed(() => run(['/bin/true'], [0])),
  })
  const figures: Figure[] = [
    {
      what: 'pengx --version',
      unit: 'ms',
      samples: small.version,
      beside: { what: '/bin/true', samples: small.smallest },
      bound: 20,
    },
  ]
  for (const vmCount of [100, 1000, 10_000]) {
    const path = await makeStore(vmCount)
    const { list, jobs } = await inTurns(7, {
      // Its PM does not answer, which is 4; the list is whole all the same.
      list: () => timed(() => run([PENGX, '--db', path, 'vms'], [4])),
      jobs: () => timed(() => run([PENGX, '--db', path, 'jobs'], [0])),
    })
    figures.push({
      what: `pengx vms, ${vmCount} VMs stored`,
      unit: 'ms',
      samples: list,
      beside: { what: 'pengx jobs (no look)', samples: jobs },
    })
  }
  return figures
}
