import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Host, Output } from '../../src/engine/host/host.ts'
import { openLocalHost } from '../../src/engine/host/local.ts'
import { run } from '../../src/engine/host/run.ts'
import { createSimSite } from '../../src/sim/site.ts'
import { LINES } from './lines.ts'

/**
 * The same command lines for the real coreutils and qemu-img of this machine and for the simulated ones, one after
 * another in one directory: exit, output and error text are the same.
 */

let directory: string
let real: Host
let simulated: Host

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'pengx-sim-'))
  real = openLocalHost('here')
  simulated = createSimSite({ vmCount: 0, pmCount: 1, pace: 0 }).host('xen1')
  await run(simulated, { argv: ['mkdir', '-p', directory], effect: 'change' })
})
afterAll(async () => {
  await real.close()
  rmSync(directory, { recursive: true, force: true })
})

const ANY = Array.from({ length: 256 }, (_, exit) => exit)

async function both(line: string, stdin?: string): Promise<[Output, Output]> {
  const argv = line.replaceAll('@', `${directory}/`).split(' ') as [string, ...string[]]
  const command = { argv, effect: 'change' as const, okExits: ANY, ...(stdin === undefined ? {} : { stdin }) }
  return [await run(real, command), await run(simulated, command)]
}

test('each gives what the real program gives', async () => {
  const differences: unknown[] = []
  for (const line of LINES) {
    const [text, stdin] = typeof line === 'string' ? [line] : line
    const [there, here] = await both(text, stdin)
    const [was, is] = [plain(there), plain(here)]
    if (!Bun.deepEquals(was, is)) differences.push({ text, was: was, is: is })
  }
  expect(differences).toEqual([])
})

/** How much of the disk an image takes depends on the file system under it, and the order of names on nothing. */
function plain(output: Output): Output {
  const blocks = (text: string) =>
    text.replace(/"actual-size": \d+/g, '"actual-size": 0').replace(/^disk size: .*$/gm, 'disk size: 0 B')
  const lines = (text: string) => (text.includes('{') ? text : text.split('\n').sort().join('\n'))
  return { ...output, stdout: lines(blocks(output.stdout)), stderr: output.stderr }
}

test('the same file is told by its device and inode, under whatever name', async () => {
  for (const host of [real, simulated]) {
    const said = async (line: string) => {
      const argv = line.replaceAll('@', `${directory}/`).split(' ') as [string, ...string[]]
      return (await run(host, { argv, effect: 'change' })).stdout.split('\0').filter((word) => word !== '')
    }
    await said('mkdir @same')
    await said('touch @same/own @same/other')
    await said('ln -s own @same/link')
    const listed = new Map(
      (await said('find -L @same/ -mindepth 1 -maxdepth 1 -printf %f=%D:%i\\0')).map(
        (word) => word.split('=') as [string, string],
      ),
    )
    const [direct] = await said('stat -L --printf=%d:%i\\0 @same/link')
    expect([...listed.keys()].sort()).toEqual(['link', 'other', 'own'])
    expect([listed.get('own'), listed.get('link')]).toEqual([direct, direct])
    expect(listed.get('other')).not.toBe(direct)
  }
})

test('a program that is not there', async () => {
  const failures = await Promise.all(
    [real, simulated].map((host) => host.open({ argv: ['no-such-program'], effect: 'read' }).catch((error) => error)),
  )
  expect(failures.map((failure) => failure.code)).toEqual(['notFound', 'notFound'])
})
