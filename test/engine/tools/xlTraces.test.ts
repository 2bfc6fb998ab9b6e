import { describe, expect, test } from 'bun:test'
import { markPart } from '../../../src/engine/host/batch.ts'
import type { Command, Host } from '../../../src/engine/host/host.ts'
import { domains } from '../../../src/engine/hypervisor/look.ts'
import { isTorn, listStamps, parseStamps, parseTraces, parseXl, uuidOf } from '../../../src/engine/tools/xl/traces.ts'
import { type Transcript, transcripts, versionsWith } from '../../support/transcript.ts'

const UUID = '6c616200-0000-4000-8000-000000000001'

/** A host that says what a real one has said. */
function replay(answers: readonly Transcript[]): Host {
  const say = ({ argv }: Command) => {
    const line = argv.join(' ')
    const said = answers.find(({ command }) => command.replaceAll("'", '') === line)
    return said ?? { exit: 1, stdout: '', stderr: `${line}: it is not written down\n` }
  }
  return {
    name: 'xen1',
    async open(command) {
      const marked = (command.parts ?? []).map((part) => markPart(say(part)))
      const stream = (text: string) => new Response(text).body!
      return {
        stdin: new WritableStream(),
        stdout: stream(marked.map(({ stdout }) => stdout).join('')),
        stderr: stream(marked.map(({ stderr }) => stderr).join('')),
        exited: Promise.resolve(0),
      }
    },
    connect: () => Promise.reject(new Error('nobody is asked')),
    close: async () => undefined,
  }
}

/** The pieces of a transcript that begin with a list. */
function scenes(name: string): Transcript[][] {
  const all: Transcript[][] = []
  for (const one of transcripts(name)) {
    if (one.command === 'xl list -v') all.push([])
    all.at(-1)!.push(one)
  }
  return all.filter((scene) => scene.length > 2)
}

const stateIn = async (scene: readonly Transcript[]) => (await domains(replay(scene)))[1]?.state

/** What a shell says of a program that is not there. */
function without(program: string): Transcript {
  return {
    command: 'ps -C xl -o pid=,ppid=,sid=,args=',
    exit: 127,
    stdout: '',
    stderr: `sh: 1: ${program}: not found\n`,
  }
}

const DOM0 = '0.00000000-0000-0000-0000-000000000000'

const domidIn = ({ stdout }: Transcript) => /^pv1 +(\d+)/m.exec(stdout)?.[1]

describe.each(versionsWith('xl', 'half-torn'))('Xen %s', (version) => {
  test('a domain that xl builds is starting, and what a killed xl has left of it broken', async () => {
    const [building, left] = scenes(`xl-${version}-half-built`)
    expect(await stateIn(building!)).toBe('starting')
    expect(await stateIn(left!)).toBe('broken')
    // nobody knows who is at work there where ps(1) is not there
    expect(await stateIn(left!.filter(({ command }) => !command.startsWith('ps ')).concat(without('ps')))).toBe(
      'starting',
    )
  })

  test('what a killed xl destroy has left is broken, with a QEMU or without', async () => {
    const [torn] = scenes(`xl-${version}-half-torn`)
    expect(await stateIn(torn!)).toBe('broken')
    const [paused, tornPhy] = scenes(`xl-${version}-half-torn-phy`)
    expect(await stateIn(paused!)).toBe('paused')
    expect(await stateIn(tornPhy!)).toBe('broken')
  })

  test('one that an xl destroy is still tearing down is dying', async () => {
    const [torn] = scenes(`xl-${version}-half-torn`)
    const domid = domidIn(torn![0]!)
    const withXl = torn!.map((one) =>
      one.command.startsWith('ps ')
        ? { ...one, stdout: `${one.stdout} 4300  4299  4299 /usr/lib/xen-${version}/bin/xl destroy ${domid}\n` }
        : one,
    )
    expect(await stateIn(withXl)).toBe('dying')
  })

  test('a guest whose QEMU was killed is broken, though it runs', async () => {
    const [scene] = scenes(`xl-${version}-qemu-killed`)
    expect(scene![0]!.stdout).toMatch(/pv1 .* [r-][b-]---- /)
    expect(await stateIn(scene!)).toBe('broken')
  })

  test('what libxl and QEMU have lying about', () => {
    const [torn] = scenes(`xl-${version}-half-torn`)
    expect(parseTraces(torn![1]!.stdout, torn![2]!.stdout)).toEqual({
      configured: new Set([DOM0, `${domidIn(torn![0]!)}.${UUID}`]),
      sockets: new Set(),
      listening: new Set(),
    })
    expect(parseTraces('/var/lib/xen:\nimages\n', 'qmp-libxl-3\n')).toBeUndefined()
  })

  test('the stamp of a domain is another when something is attached to it, and not when that is detached', () => {
    const looks = transcripts(`xl-${version}-userdata-stamps`).filter(({ command }) => command.startsWith('find '))
    expect(looks[0]!.command.replaceAll("'", '')).toBe(listStamps.argv.join(' '))
    const [built, attached, detached] = looks.map(({ stdout }) => parseStamps(stdout))
    const [guest, dom0] = [...built!.keys()].sort().reverse()
    expect([guest, dom0]).toEqual([expect.stringMatching(/^[1-9]\d*\.[0-9a-f-]{36}$/), DOM0])
    expect(Number(attached!.get(guest!))).toBeGreaterThan(Number(built!.get(guest!)))
    expect(attached!.get(DOM0)).toBe(built!.get(DOM0)!)
    expect(detached).toEqual(attached!)
    expect(parseStamps('find: unrecognized: -printf\n').size).toBe(0)
  })
})

test('an xl at work, one that waits, and what a killed one has left', () => {
  const lines = [
    ` 4070  4063  4063 /usr/lib/xen-4.17/bin/xl create /lab/cfg/pv1.cfg uuid="${UUID}"`,
    ' 3879     1  3879 /usr/lib/xen-4.17/bin/xl -t create -p /lab/cfg/pv1.cfg',
    '  582     1   447 /usr/lib/xen-4.17/bin/xl create /lab/cfg/pv1.cfg',
    ' 4300  4299  4299 xl list -v',
  ]
  const found = parseXl(`${lines.join('\n')}\n`)
  expect(found.map(({ verb, waits }) => [verb, waits])).toEqual([
    ['create', false],
    ['create', true],
    ['list', false],
  ])
  expect(found.map(uuidOf)).toEqual([UUID, undefined, undefined])
})

test('a domain is torn without its name, its QEMU or the guest’s side of a device; one without a QEMU is not', () => {
  const libxl = [
    '/libxl/3/dm-version = "qemu_xen"',
    '/libxl/3/device/vbd/51712/frontend = "/local/domain/3/device/vbd/51712"',
  ]
  const guest = ['/local/domain/3/name = "pv1"', '/local/domain/3/device/vbd/51712/backend = "/local/domain/0/x"']
  const torn = (own: readonly string[], theirs: readonly string[]) =>
    isTorn(3, `${own.join('\n')}\n`, `${theirs.join('\n')}\n`)
  const pid = '/local/domain/3/image/device-model-pid = "315"'
  expect(torn(libxl, guest)).toBe(false)
  expect(torn(libxl, guest.slice(1))).toBe(true)
  expect(torn(libxl, guest.slice(0, 1))).toBe(true)
  expect(torn(libxl, [...guest, pid])).toBe(true)
  // that QEMU has no monitor to be found by
  expect(torn(['/libxl/3/dm-version = "qemu_xen_traditional"', libxl[1]!], [...guest, pid])).toBe(false)
})
