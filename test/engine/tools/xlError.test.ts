import { describe, expect, test } from 'bun:test'
import { explainXl, lastWords, redact, secretsOf } from '../../../src/engine/tools/xl/error.ts'
import { transcript, transcripts, versionsWith } from '../../support/transcript.ts'

const meaning = (name: string, index = 0) => {
  const { code, message } = explainXl(transcript(name, index).stderr) ?? {}
  return [code, message]
}

describe.each(versionsWith('xl', 'error-bad-config'))('Xen %s', (version) => {
  test('a configuration that xl does not take', () => {
    expect(meaning(`xl-${version}-error-bad-config`, 0)).toEqual([
      'invalid',
      '/lab/cfg/bad2.cfg:1: lexical error in the configuration (see xl.cfg(5))',
    ])
    expect(meaning(`xl-${version}-error-bad-config`, 1)).toEqual([
      'notFound',
      'there is no configuration file /lab/cfg/nothere.cfg',
    ])
    expect(meaning(`xl-${version}-error-bad-config`, 2)).toEqual(['invalid', 'the configuration has no name'])
    expect(meaning(`xl-${version}-error-bad-config`, 3)).toEqual(['notFound', 'there is no /lab/nokernel to boot from'])
  })

  test('a domain that is not there', () => {
    const all = [
      ...transcripts(`xl-${version}-error-unknown`).slice(1),
      ...transcripts(`xl-${version}-error-unknown-2`),
      ...transcripts(`xl-${version}-gone`),
      ...transcripts(`xl-${version}-gone-2`),
    ]
    const told = all.filter(({ command, stderr }) => stderr !== '' && !SAYS_LESS.test(command))
    for (const { command, stderr } of told) {
      expect([command, explainXl(stderr)?.code]).toEqual([command, 'notFound'])
    }
  })
})

/** Where a transcript of the version has it. */
const CREATES = [
  ['create-duplicate', 'conflict', 'a domain named "pv1" is there already'],
  ['error-missing-disk', 'notFound', 'disk xvda: there is no /lab/img/nothere.qcow2'],
  ['error-bad-bridge', 'notFound', 'there is no bridge nobr9'],
  ['error-too-much-memory', 'noSpace', 'there is not enough free memory'],
  ['error-device-model', 'commandFailed', 'its device model (QEMU) did not start'],
] as const

/** QEMU 5.2 has DES, and starts with the password that later ones refuse. */
const STARTS = '4.14 error-device-model'

test('a create that does not fail is none of the failures', () => {
  expect(transcripts(`xl-${STARTS.replace(' ', '-')}`).map(({ exit }) => exit)).toEqual([0])
})

test.each(
  CREATES.flatMap(([subject, ...told]) =>
    versionsWith('xl', subject)
      .filter((version) => `${version} ${subject}` !== STARTS)
      .map((version) => [version, subject, told] as const),
  ),
)('failures of a create: Xen %s, %s', (version, subject, told) => {
  expect(meaning(`xl-${version}-${subject}`)).toEqual([...told])
})

test.each(versionsWith('xl', 'cd'))('a drive that cannot be changed, with Xen %s', (version) => {
  const refused = transcripts(`xl-${version}-cd`).map(({ stderr }) => explainXl(stderr)?.message)
  const none = 'it was started without such a CD drive'
  const notHvm = 'only of an HVM guest a disc can be changed'
  expect(refused).toEqual([notHvm, notHvm, none, none])
})

/** Of these the words do not tell that there is no such domain; or they are of a file. */
const SAYS_LESS = /^xl (?:rename|resume|restore|console|migrate|uptime) /

test('a hotplug script that is killed', () => {
  expect(meaning('xl-4.17-error-hotplug-script-timeout-phy')).toEqual([
    'busy',
    '/etc/xen/scripts/block add did not end in time; is the machine or its storage overloaded?',
  ])
})

test('a guest whose own memory has no room for its kernel, on a host that has plenty', () => {
  // xl 4.17 of a PV guest of 64 MiB with Debian's kernel
  const stderr = `Parsing config from /etc/xen/small.cfg
xc: error: panic: xg_dom_core.c:536: xc_dom_chk_alloc_pages: segment kernel too large (0x3a00 > 0x4000 - 0x1000 pages): Out of memory
libxl: error: libxl_dom.c:594:libxl__build_dom: xc_dom_build_image failed: No such file or directory
libxl: error: libxl_create.c:1640:domcreate_rebuild_done: Domain 1:cannot (re-)build domain: -3
`
  expect(explainXl(stderr)).toEqual({
    kind: 'limit',
    code: 'refused',
    message: 'its kernel takes 58 MiB of its memory, which has room for 48: give it more',
  })
})

test('a QEMU that started and did not answer in time', () => {
  expect(meaning('xl-4.20-error-device-model-late')).toEqual([
    'busy',
    'its device model (QEMU) did not answer in time; is the machine overloaded?',
  ])
})

test('what Xen 4.20 says of every create is not what failed', () => {
  const probe = 'libxl: error: libxl_aoutils.c:646:libxl__kill_xs_path: qemu command-line probe already exited\n'
  expect(
    lastWords(`Parsing config from /x.cfg\n${probe}libxl: error: libxl_x.c:1:x: Domain 7:the moon is full\n`),
  ).toBe('the moon is full')
})

test('what is not known keeps its own words, without the traces of cleaning up', () => {
  const stderr = `Parsing config from /x.cfg
libxl: error: libxl_new.c:1:libxl__new: Domain 7:the moon is full
libxl: error: libxl_domain.c:1183:libxl__destroy_domid: Domain 7:Non-existant domain
libxl: error: libxl_domain.c:1064:domain_destroy_cb: Domain 7:Destruction of domain failed
`
  expect(explainXl(stderr)).toBeUndefined()
  expect(lastWords(stderr)).toBe('the moon is full')
})

test('a password in a line that xl quotes is in no text', () => {
  const config = `name = "a"\nvncpasswd = "hunter2\n`
  const stderr = `Parsing config from /x.cfg\n/x.cfg:2: config parsing error near \`"hunter2': lexical error\n`
  expect(explainXl(stderr)?.message).not.toContain('hunter2')
  expect(lastWords(stderr)).not.toContain('hunter2')
  expect(redact(stderr, secretsOf(config))).not.toContain('hunter2')
})

test('passwords are found wherever a configuration may hold them', () => {
  const config = `vncpasswd = "one"\nspicepasswd='two'\nvfb = [ 'type=vnc,vncpasswd=three,vncunused=1' ]\n#vncpasswd=""\n`
  expect(secretsOf(config)).toEqual(['one', 'two', 'three'])
  expect(redact('vfb vncpasswd=three, and one or two', secretsOf(config))).toBe('vfb vncpasswd=***, and *** or ***')
})
