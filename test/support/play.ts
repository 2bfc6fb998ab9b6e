import type { Output } from '../../src/engine/host/host.ts'
import type { SimLab } from './sites/simLab.ts'

/**
 * A command line of a transcript on the simulated site: commands one after the other, `echo rc=$?` and `sleep` among them.
 */
export async function play(lab: SimLab, line: string): Promise<Output> {
  let [exit, stdout, stderr] = [0, '', '']
  for (const part of line.split(/\s*;\s*/)) {
    const seconds = /^sleep (\d+)$/.exec(part)?.[1]
    if (seconds !== undefined) await lab.clock.advance(Number(seconds) * 1000)
    else if (part === 'echo rc=$?') stdout += `rc=${exit}\n`
    else {
      const said = await lab.sh(part.replaceAll("'", ''))
      exit = said.exit
      stdout += said.stdout
      stderr += said.stderr
    }
  }
  if (line.endsWith('echo rc=$?')) exit = 0
  return { exit, stdout, stderr }
}

/** What time and chance decide, in any text of xl's. */
export function timeless(text: string): string {
  return (
    text
      // states and seconds, of lists and of xl vcpu-list
      .replace(/[r-][b-]----( +)\d+\.\d/g, (found) => '*'.repeat(found.length))
      .replace(
        /([r-][b-]p?[ps-][s-][-rsc][d-] +)\d+\.\d/g,
        (found, state: string) => `${state.trimEnd()}${'*'.repeat(found.length - state.trimEnd().length)}`,
      )
      .replace(/(r--|-b-|--p) +\d+\.\d/g, (found) => '*'.repeat(found.length))
      // a hotplug script's pid, and frames of memory
      .replace(/(online|offline|line) \[\d+\]/g, '$1 [PID]')
      .replace(/mfn 0x[0-9a-f]+/g, 'mfn N')
  )
}
