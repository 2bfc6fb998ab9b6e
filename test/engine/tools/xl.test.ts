import { describe, expect, test } from 'bun:test'
import { parseInfo, parseList } from '../../../src/engine/tools/xl/xl.ts'
import { transcript, versionsWith } from '../../support/transcript.ts'

describe.each(versionsWith('xl', 'list-v'))('Xen %s', (version) => {
  test('a list', () => {
    const text = transcript(`xl-${version}-list-v`).stdout
    const domains = parseList(text)
    expect(domains.map((domain) => [domain.domid, domain.name, domain.state])).toEqual([
      [0, 'Domain-0', 'running'],
      [1, 'pvh1', 'running'],
      [2, 'pv1', 'running'],
      [4, 'hvm1', 'running'],
    ])
    const [, letters, seconds] = /^pv1 .* ([-a-zS]{6}) +(\d+\.\d) /m.exec(text)!
    expect(domains[2]).toEqual({
      domid: 2,
      name: 'pv1',
      uuid: '1736f6d0-4829-4505-aafa-deb413df388f',
      memoryMib: 192,
      vcpuCount: 1,
      rawState: letters!,
      state: 'running',
      cpuSeconds: Number(seconds),
    })
  })

  test('a reboot and a crash as they were seen', () => {
    const letters = (text: string) => [...text.matchAll(/ ([r-][b-][p-][s-][-rscwS][d-]) /g)].map(([, found]) => found!)
    const seen = letters(transcript(`xl-${version}-reboot`).stdout)
    expect(seen.map((one) => parseList(row('pv1', one))[0]?.state)).toContain('dying')
    expect(letters(transcript(`xl-${version}-list-crashed`).stdout)).toContain('--psc-')
  })
})

test.each(versionsWith('xl', 'info'))('info of Xen %s, with and without the topology', (version) => {
  const info = {
    xenVersion: expect.stringMatching(new RegExp(`^${version.replace('.', '\\.')}\\.`)),
    cpuCount: 2,
    threadsPerCore: 1,
    socketCount: 1,
    totalMib: 3583,
    freeMib: expect.any(Number),
    virtCaps: expect.arrayContaining(['pv', 'hvm', 'hap']),
    dom0IsFixed: true,
    cpuFeatures: FEATURES,
  }
  for (const name of [`xl-${version}-info`, `xl-${version}-info-n`]) {
    const found = parseInfo(transcript(name).stdout)!
    expect(found).toEqual(info)
    expect(found.freeMib).toBeGreaterThan(1000)
    expect(found.freeMib).toBeLessThan(found.totalMib - 1024)
  }
})

/** Of the lab's emulated processor. */
const FEATURES = [
  ...['cx8', 'cmov', 'mmx', 'fxsr', 'sse', 'sse2', 'sse3', 'pclmulqdq', 'ssse3'],
  ...['cx16', 'sse4_1', 'sse4_2', 'movbe', 'popcnt', 'aes', 'rdrand', 'syscall', 'nx'],
  ...['mmxext', 'page1gb', 'lm', 'lahf_lm', 'abm', 'sse4a', 'fsgsbase', 'bmi1', 'bmi2'],
  ...['adx', 'clflushopt'],
]

/** A row as `xl list -v` prints it (tools/xl/xl_list.c). */
function row(name: string, letters: string, options: { mem?: number; vcpus?: number; reason?: string } = {}): string {
  const { mem = 192, vcpus = 1, reason = '-' } = options
  const numbers = `${'7'.padStart(5)} ${String(mem).padStart(5)} ${String(vcpus).padStart(5)}`
  const uuid = '578ef491-d44c-4f9f-bd6b-b723edee1151'
  return `${name.padEnd(40)} ${numbers}     ${letters}  ${'3.0'.padStart(8)} ${uuid} ${reason.padStart(8)} ${'-'.padStart(16)}\n`
}

test('names with blanks and digits, lost names, names too long for their column', () => {
  for (const name of ['my web 1', 'web 1 2 3 4', '(null)', '7', `a${'x'.repeat(60)}`, 'r----- 5', 'käse']) {
    expect(parseList(row(name, '-b----'))[0]).toMatchObject({ name, domid: 7, memoryMib: 192, state: 'running' })
  }
})

test('every state that a domain can be in', () => {
  const states = [
    ['r-----', 'running'],
    ['-b----', 'running'],
    ['------', 'running'],
    ['--p---', 'paused'],
    ['---s--', 'dying'],
    ['--ps--', 'dying'],
    ['---sr-', 'dying'],
    ['--psr-', 'dying'],
    ['---ss-', 'paused'],
    ['--psc-', 'crashed'],
    ['---sc-', 'crashed'],
    ['---sw-', 'crashed'],
    ['--psS-', 'starting'],
    ['---s?-', 'dying'],
    ['-----d', 'dying'],
    ['--p--d', 'dying'],
    ['--pscd', 'dying'],
  ] as const
  for (const [letters, state] of states) {
    expect(parseList(row('x', letters, { reason: '3' }))[0]).toMatchObject({ rawState: letters, state })
  }
})

test('a domain being built has no memory or no processors yet', () => {
  expect(parseList(row('pv1', '--p---', { mem: 0, vcpus: 0 }))[0]?.state).toBe('starting')
  expect(parseList(row('pv1', '--p---', { vcpus: 0 }))[0]?.state).toBe('starting')
  expect(parseList(row('pv1', '--p---', { mem: 0 }))[0]?.state).toBe('starting')
})

test('no info where no hypervisor answers', () => {
  expect(parseInfo('')).toBeUndefined()
  expect(parseInfo('host                   : pc\nrelease                : 6.1.0\n')).toBeUndefined()
})

test('four sockets of eight cores with two threads', () => {
  const text =
    'nr_cpus : 64\ncores_per_socket : 8\nthreads_per_core : 2\ntotal_memory : 1048575\nxen_major : 4\nxen_minor : 20\nxen_extra : .1\n'
  expect(parseInfo(text)).toMatchObject({ socketCount: 4, threadsPerCore: 2, xenVersion: '4.20.1' })
})
