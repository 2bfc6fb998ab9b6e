import type { Code } from '../../../model/error.ts'

/**
 * What xl and libxl mean by what they print, as one sentence for a person. The first line that names a cause counts:
 * what follows it is libxl cleaning up. Text of the configuration is never repeated, since xl quotes the very line that
 * may hold a password.
 */

export interface XlError {
  readonly code: Code
  readonly message: string
  /** What happened, for a caller that adds what it knows. */
  readonly kind:
    | 'duplicateName'
    | 'missingFile'
    | 'missingConfig'
    | 'badConfig'
    | 'memory'
    | 'bridge'
    | 'hotplug'
    | 'deviceModel'
    | 'deviceModelLate'
    | 'unknownDomain'
    | 'guestDriver'
    | 'noXen'
    | 'bootloader'
    | 'device'
    | 'deviceThere'
    | 'limit'
    | 'migration'
}

interface Rule {
  readonly pattern: RegExp
  readonly explain: (found: RegExpExecArray) => XlError
}

const say = (kind: XlError['kind'], code: Code, message: string): XlError => ({ kind, code, message })

/** In the order in which they are asked; a rule that names more comes first. */
const RULES: readonly Rule[] = [
  {
    pattern: /Domain with name "(.*)" already exists/,
    explain: ([, name]) => say('duplicateName', 'conflict', `a domain named "${name}" is there already`),
  },
  {
    pattern: /Failed to read config file: (.*): No such file or directory/,
    explain: ([, path]) => say('missingConfig', 'notFound', `there is no configuration file ${path}`),
  },
  {
    pattern: /^(\/.*):(\d+): config parsing error near .*: (lexical error|syntax error)/m,
    explain: ([, path, line, what]) =>
      say('badConfig', 'invalid', `${path}:${line}: ${what} in the configuration (see xl.cfg(5))`),
  },
  {
    pattern: /^(\/.*?): config parsing error in disk specification: (.*?)(?:: near | in )/m,
    explain: ([, path, what]) => say('badConfig', 'invalid', `${path}: a disk specification is wrong: ${what}`),
  },
  {
    pattern: /Domain name must be specified/,
    explain: () => say('badConfig', 'invalid', 'the configuration has no name'),
  },
  {
    pattern: /Neither kernel nor bootloader specified/,
    explain: () => say('badConfig', 'invalid', 'the configuration has neither kernel nor bootloader nor firmware'),
  },
  {
    pattern: /Failed to parse UUID|Invalid domain type|Contradicting "builder"|Failed to parse config/,
    explain: ([what]) => say('badConfig', 'invalid', `xl does not take the configuration: ${lowerFirst(what)}`),
  },
  {
    pattern: /Disk vdev=(\S+) failed to stat: (.*): No such file or directory/,
    explain: ([, vdev, path]) => say('missingFile', 'notFound', `disk ${vdev}: there is no ${path}`),
  },
  {
    pattern: /Disk vdev=(\S+) failed to stat: (.*?): (.*)/,
    explain: ([, vdev, path, why]) =>
      say('device', 'commandFailed', `disk ${vdev}: cannot read ${path}: ${lower(why)}`),
  },
  {
    pattern: /(?:failed to open file|failed to stat file|cannot open) '?(\/[^':]+)'?: No such file or directory/i,
    explain: ([, path]) => say('missingFile', 'notFound', `there is no ${path} to boot from`),
  },
  {
    pattern: /^Cannot stat file: (\/.*)/m,
    explain: ([, path]) => say('missingFile', 'notFound', `there is no ${path}`),
  },
  {
    pattern: /Could not find bridge device (\S+)/,
    explain: ([, bridge]) => say('bridge', 'notFound', `there is no bridge ${bridge}`),
  },
  {
    // xg_dom_core.c: the guest's own memory, of which the host may have any amount
    pattern: /segment (.+?) too large \(0x([0-9a-f]+) > 0x([0-9a-f]+) - 0x([0-9a-f]+) pages\)/,
    explain: ([, what, needed, all, taken]) => {
      const room = mibOf(all) - mibOf(taken)
      const text = `its ${what} takes ${Math.ceil(mibOf(needed))} MiB of its memory, which has room for ${Math.floor(room)}`
      return say('limit', 'refused', `${text}: give it more`)
    },
  },
  {
    pattern:
      /Out of memory|Cannot allocate memory|not enough (?:free )?memory|Unable to free memory|failed to free memory|Insufficient/i,
    explain: () => say('memory', 'noSpace', 'there is not enough free memory'),
  },
  {
    pattern: /:device already exists in xenstore/,
    explain: () => say('deviceThere', 'conflict', 'it has a device of that name already'),
  },
  {
    pattern: /Virtual device not found/,
    explain: () => say('device', 'refused', 'it was started without such a CD drive'),
  },
  {
    pattern: /cdrom-insert requires an HVM domain/,
    explain: () => say('device', 'refused', 'only of an HVM guest a disc can be changed'),
  },
  {
    pattern: /^(?:Unknown device \S+|Error: Device \S+ not connected)\.$/m,
    explain: () => say('device', 'notFound', 'it has no such device any more'),
  },
  {
    pattern: /memory_dynamic_max must be less than or equal to memory_static_max/,
    explain: () => say('limit', 'refused', 'that is more memory than the domain was started to have at most'),
  },
  {
    pattern: /Requested (\d+) VCPUs, however maxcpus is (\d+)/,
    explain: ([, wanted, most]) =>
      say('limit', 'refused', `it was started to have at most ${most} VCPUs, and ${wanted} are asked for`),
  },
  {
    pattern: /killing execution of (\S+) (\S+) because of timeout/,
    explain: ([, script, verb]) =>
      say('hotplug', 'busy', `${script} ${verb} did not end in time; is the machine or its storage overloaded?`),
  },
  {
    pattern: /Domain \d+:.*bootloader.* (?:failed|exited|died).*|libxl__bootloader_run|bootloader failed/,
    explain: () => say('bootloader', 'commandFailed', 'the boot loader found no kernel to boot on its first disk'),
  },
  {
    pattern: /device model required but not running/,
    explain: () =>
      say('deviceModel', 'refused', 'it was started without a QEMU, as no disk of it needed one: shut it down first'),
  },
  {
    // libxl gives a QEMU that has started 10 s for its first answer; -9 is ERROR_TIMEDOUT (libxl_types.idl)
    pattern: /Post DM startup configs failed, rc=-9/,
    explain: () =>
      say('deviceModelLate', 'busy', 'its device model (QEMU) did not answer in time; is the machine overloaded?'),
  },
  {
    pattern: /device model(?:: spawn failed| did not start)/,
    explain: () => say('deviceModel', 'commandFailed', 'its device model (QEMU) did not start'),
  },
  {
    pattern: /device_hotplug_child_death_cb: script: (.*)/,
    explain: ([, why]) => say('hotplug', 'commandFailed', lowerFirst(why)),
  },
  {
    pattern: /unable to add (disk|vif|pci|console|usbctrl|vtpm)[a-z]* devices/,
    explain: ([, what]) => say('device', 'commandFailed', `one of its ${what === 'vif' ? 'nic' : what} devices failed`),
  },
  {
    pattern: /^(?:libxl|xc|xl)\b.*?(\/[^\s:()']+)'?: No such file or directory/m,
    explain: ([, path]) => say('missingFile', 'notFound', `there is no ${path}`),
  },
  {
    pattern: /PV control interface not available/,
    explain: () =>
      say('guestDriver', 'unsupported', 'the guest has no drivers through which it could be asked, and no ACPI either'),
  },
  {
    pattern:
      /is an invalid domain identifier|Can't get domain name of domain id|Non-existant domain|Unknown domain|: No such process|unable to get domain type for domid=|Domain '.*' does not exist|domain \S+ not found|unable to find domain info for domain|^Domain \d+ does not exist|Can't get domid of domain name/im,
    explain: () => say('unknownDomain', 'notFound', 'there is no such domain any more'),
  },
  {
    pattern: /privileged command interface|xenstored|cannot init xl context|Permission denied|Is Xen running/i,
    explain: () => say('noXen', 'unsupported', 'xl does not reach the hypervisor (not booted under Xen, or not root)'),
  },
]

/** Undefined where nothing in the text is known: the caller then shows its last lines. */
export function explainXl(stderr: string): XlError | undefined {
  const text = stderr.includes('Parsing config from') ? withoutCleanup(stderr) : stderr
  for (const { pattern, explain } of RULES) {
    const found = pattern.exec(text)
    if (found) return explain(found)
  }
  return undefined
}

/**
 * A create that failed ends with the traces of libxl taking the domain down, which would read as if none had been. One of
 * Xen 4.20 also tells, as an error, that the QEMU which it had asked for its options has ended.
 */
function withoutCleanup(stderr: string): string {
  return stderr
    .split('\n')
    .filter((line) => !/destroy_domid|domain_destroy_c|command-line probe already exited/.test(line))
    .join('\n')
}

/** What is not known, cut to what a line has room for: without libxl's file names and the traces of cleaning up. */
export function lastWords(stderr: string): string {
  const lines = withoutCleanup(stderr)
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^Parsing config from|config parsing error/.test(line))
    .map((line) => line.replace(/^(?:libxl|xc|xl): (?:error|panic|fatal error): (?:\w+\.c:\d+:)?\s*/, ''))
    .map((line) => line.replace(/^\w+: Domain \d+:/, ''))
  return lines.slice(0, 2).join(' | ').slice(0, 200)
}

/** Values of the passwords that a configuration may hold, so that they can be taken out of whatever quotes it. */
export function secretsOf(config: string): string[] {
  const found = config.matchAll(/\b(?:vncpasswd|spicepasswd)\s*=\s*(?:(["'])((?:[^\\\n]|\\.)*?)\1|([^\s,"'\]]+))/g)
  return [...found].map(([, , quoted, bare]) => quoted ?? bare ?? '').filter((secret) => secret !== '')
}

export function redact(text: string, secrets: readonly string[]): string {
  let clean = text.replace(/(near `).*?('(?:<newline>)?: )/g, '$1***$2')
  for (const secret of secrets) clean = clean.replaceAll(secret, '***')
  return clean.replace(/((?:vncpasswd|spicepasswd)\s*=\s*)[^\s,\]]+/g, '$1***')
}

/** Of pages of 4 KiB, counted in hexadecimal digits. */
function mibOf(pages = ''): number {
  return Number.parseInt(pages, 16) / 256
}

function lower(text = ''): string {
  return text.toLowerCase()
}

function lowerFirst(text = ''): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}
