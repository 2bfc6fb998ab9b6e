import { beforeEach, describe, expect, test } from 'bun:test'
import { LAB_UUIDS, labConfig, openSimLab, type SimLab } from '../support/sites/simLab.ts'
import { transcript, transcripts } from '../support/transcript.ts'

/** What a real host printed is what the simulated one prints, but for what time and chance decide. */

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab()
})

/** Numbers of seconds and the letters of the moment differ between any two looks. */
function timeless(text: string): string {
  return text
    .replace(/[r-][b-]----( +)\d+\.\d/g, (found) => '*'.repeat(found.length))
    .replace(/ (r--|-b-|--p|---) +\d+\.\d/g, (found) => '*'.repeat(found.length))
}

/** The outputs of a command line of several commands with `echo rc=$?` between. */
function pieces(text: string): string[] {
  return text.split(/rc=\d+\n/)
}

describe('xl shows', () => {
  test('list', async () => {
    const { stdout } = await lab.sh('xl list')
    expect(timeless(stdout)).toBe(timeless(transcript('xl-4.17-list').stdout).replace(/hvm1 +4 {3}192/, sameMemory))
  })

  test('list -v', async () => {
    const { stdout } = await lab.sh('xl list -v')
    const real = timeless(transcript('xl-4.17-list-v').stdout).replace(/hvm1 +4 {3}192/, sameMemory)
    expect(timeless(stdout)).toBe(real)
  })

  test('list -l, to the blank', async () => {
    const { stdout } = await lab.sh('xl list -l')
    expect(stdout).toBe(transcript('xl-4.17-list-l').stdout)
  })

  test('the keys of info, in their order and columns', async () => {
    const keys = (text: string) => {
      const lines = text.split('\n').filter((line) => !/^ {3}0: +\d+ +\d+ +10$/.test(line))
      return lines.map((line) => line.slice(0, 25))
    }
    expect(keys((await lab.sh('xl info')).stdout)).toEqual(keys(transcript('xl-4.17-info').stdout))
    expect(keys((await lab.sh('xl info -n')).stdout)).toEqual(keys(transcript('xl-4.17-info-n').stdout))
  })

  test('domid and domname', async () => {
    const real = transcripts('xl-4.17-domid')
    for (const { command, exit, stdout, stderr } of real)
      expect(await lab.sh(command)).toEqual({ exit, stdout, stderr })
    expect(real.map((one) => one.exit)).toEqual([0, 0, 1, 1])
  })

  test('vcpu-list', async () => {
    for (const { command, stdout } of transcripts('xl-4.17-vcpu-list')) {
      // which CPU a vcpu is on is chance
      const masked = (text: string) => timeless(text).replace(/^(\S+ +\d+ +\d+) +[\d-] +/gm, '$1 ')
      expect(masked((await lab.sh(command)).stdout)).toBe(masked(stdout))
    }
  })

  test('the columns of uptime', async () => {
    for (const { command, stdout } of transcripts('xl-4.17-uptime').slice(0, 2)) {
      const masked = (text: string) => text.replace(/ *(\d+ days?, +)?\d+:\d\d:\d\d$/gm, ' TIME')
      expect(masked((await lab.sh(command)).stdout)).toBe(masked(stdout))
    }
  })

  test('block-list and network-list', async () => {
    expect((await lab.sh('xl block-list pv1')).stdout).toBe(transcript('xl-4.17-block-list').stdout)
    const real = pieces(transcript('xl-4.17-network-attach').stdout)[1]!
    await lab.sh('xl network-attach pv1 mac=00:16:3e:00:00:77 bridge=xenbr0')
    expect((await lab.sh('xl network-list pv1')).stdout).toBe(real)
  })

  test('xentop: columns, order, no rates at first, disks of zeros', async () => {
    const shape = (text: string) =>
      text.replace(/^( *\S+ )[-rbpsdc]{6}(.*)$/gm, (_, name, rest) => name + rest.replace(/\d/g, '9'))
    const widths = (text: string) => shape(text).replace(/ +9+(\.9)?/g, (found) => '#'.padStart(found.length))
    const { stdout } = await lab.sh('xentop -b -i 2 -d 1')
    expect(widths(stdout)).toBe(widths(transcript('xentop-4.17').stdout))
    const rows = stdout.split('\n').filter((line) => line.includes('pv1'))
    expect(rows[0]!.split(/ +/)[4]).toBe('0.0')
    for (const row of rows) expect(row).toMatch(/ 0 +0 +0 +0 +0 +0 +0$/)
  })
})

describe('xl refuses', () => {
  const build = async (fixture: string, index: number, text: string, name: string) => {
    const real = transcripts(fixture)[index]!
    const domid = /Domain (\d+):/.exec(real.stderr)?.[1]
    if (domid !== undefined) lab.site.pm('xen1').nextDomid = Number(domid)
    await lab.sh(`tee /lab/cfg/${name}.cfg`, text)
    const made = await lab.sh(`xl create /lab/cfg/${name}.cfg`)
    // a hotplug script's pid
    const masked = (stderr: string) => stderr.replace(/(line) \[\d+\]/g, '$1 [PID]')
    expect(masked(made.stderr)).toBe(masked(real.stderr))
    const after = lab.site.pm('xen1').nextDomid
    return { exit: made.exit, usedDomid: domid !== undefined && after === Number(domid) + 1 }
  }
  const pv = labConfig('pv1', 'pv', LAB_UUIDS.pv1, 1)

  test('a name that is taken', async () => {
    expect(await build('xl-4.17-create-duplicate', 0, pv, 'pv1')).toEqual({ exit: 3, usedDomid: true })
  })

  test('a disk that is not there', async () => {
    const text = pv.replace(/^name.*/m, 'name = "bad1"').replace('pv1-a.qcow2', 'nothere.qcow2')
    expect(await build('xl-4.17-error-missing-disk', 0, text, 'bad1')).toEqual({ exit: 3, usedDomid: true })
  })

  test('text that does not parse', async () => {
    const text = 'name = "bad2\nmemory = oops\n'
    expect(await build('xl-4.17-error-bad-config', 0, text, 'bad2')).toEqual({ exit: 1, usedDomid: false })
    expect(await lab.sh('xl create /lab/cfg/nothere.cfg')).toMatchObject({
      exit: 3,
      stderr: transcripts('xl-4.17-error-bad-config')[1]!.stderr,
    })
  })

  test('a configuration without a name', async () => {
    const text = pv.replace(/^name.*\n/m, '')
    expect(await build('xl-4.17-error-bad-config', 2, text, 'bad3')).toEqual({ exit: 1, usedDomid: false })
  })

  test('a kernel that is not there', async () => {
    const text = pv.replace(/^name.*/m, 'name="bad4"').replace('guest-vmlinuz', 'nokernel')
    expect(await build('xl-4.17-error-bad-config', 3, text, 'bad4')).toEqual({ exit: 3, usedDomid: true })
  })

  test('more memory than there is', async () => {
    const text = pv.replace(/^name.*/m, 'name = "bad5"').replace(/^(memory|maxmem).*/gm, '$1 = 900000')
    expect(await build('xl-4.17-error-too-much-memory', 0, text, 'bad5')).toEqual({ exit: 3, usedDomid: true })
  })

  test('a bridge that is not there', async () => {
    const text = pv.replace(/^name.*/m, 'name = "bad6"').replace('xenbr0', 'nobr9')
    expect(await build('xl-4.17-error-bad-bridge', 0, text, 'bad6')).toEqual({ exit: 3, usedDomid: true })
  })

  test('domains and commands that there are not', async () => {
    for (const { command, exit, stdout, stderr } of transcripts('xl-4.17-error-unknown'))
      expect(await lab.sh(command)).toEqual({ exit, stdout, stderr })
  })
})

describe('xl changes', () => {
  /** Runs the xl commands of a transcript's line and gives their errors together. */
  const errors = async (command: string) => {
    let stderr = ''
    for (const part of command.split(';').map((word) => word.trim())) {
      if (part.startsWith('xl ') && !/list/.test(part)) stderr += (await lab.sh(part)).stderr
    }
    return stderr
  }

  test('memory, and refuses what is too much or too little', async () => {
    for (const { command, stderr } of transcripts('xl-4.17-mem-set')) expect(await errors(command)).toBe(stderr)
    for (const { command, stderr } of transcripts('xl-4.17-mem-max')) expect(await errors(command)).toBe(stderr)
    expect((await lab.sh('xenstore-read /local/domain/2/memory/static-max')).stdout).toBe('307200\n')
  })

  test('vcpus', async () => {
    for (const { command, stderr } of transcripts('xl-4.17-vcpu-set')) expect(await errors(command)).toBe(stderr)
  })

  test('the name, but not to one that is taken', async () => {
    for (const { command, stderr } of transcripts('xl-4.17-rename')) expect(await errors(command)).toBe(stderr)
    expect(lab.site.domain('pv1')?.domid).toBe(2)
  })

  test('disks: attached while still connecting, not twice, not without a file', async () => {
    const [attach, twice, missing] = transcripts('xl-4.17-block-attach')
    const first = await lab.sh(attach!.command.split(';')[0]!)
    expect(first).toEqual({ exit: 0, stdout: '', stderr: '' })
    expect((await lab.sh('xl block-list pv1')).stdout).toContain('51744 0   2      3')
    await lab.clock.advance(1000)
    expect((await lab.sh('xl block-list pv1')).stdout).toContain('51744 0   2      4')
    expect(await lab.sh(twice!.command.split(';')[0]!)).toMatchObject({ exit: 1, stderr: twice!.stderr })
    expect(await lab.sh(missing!.command.split(';')[0]!)).toMatchObject({ exit: 1, stderr: missing!.stderr })
    const [detach, unknown] = transcripts('xl-4.17-block-detach')
    const gone = await lab.sh(detach!.command.split(';')[0]!)
    expect([gone.exit, (await lab.sh('xl block-list pv1')).stdout]).toEqual([0, pieces(detach!.stdout)[1]!])
    const refused = await lab.sh(unknown!.command.split(';')[0]!)
    expect(refused.stderr.split('\n').at(-2)).toBe(unknown!.stderr.split('\n').at(-2))
  })

  test('interfaces: one that fails stays behind half attached', async () => {
    const [attach, half] = transcripts('xl-4.17-network-attach')
    expect((await lab.sh(attach!.command.split(';')[0]!)).exit).toBe(0)
    const failed = await lab.sh(half!.command.split(';')[0]!)
    const masked = (text: string) => text.replace(/online \[\d+\]/, 'online [PID]')
    expect([failed.exit, masked(failed.stderr)]).toEqual([1, masked(half!.stderr)])
    expect((await lab.sh('xl network-list pv1')).stdout).toBe(pieces(half!.stdout)[1]!)
    const [detach, unknown] = transcripts('xl-4.17-network-detach')
    expect((await lab.sh(detach!.command.split(';')[0]!)).exit).toBe(0)
    expect((await lab.sh('xl network-list pv1')).stdout).toBe(pieces(detach!.stdout)[1]!)
    expect((await lab.sh(unknown!.command.split(';')[0]!)).stderr).toBe(unknown!.stderr)
  })

  test('the configuration, for the next reboot only', async () => {
    const changed = labConfig('pv1', 'pv', LAB_UUIDS.pv1, 1).replace('memory = 192', 'memory = 160')
    await lab.sh('tee /lab/cfg/pv1-new.cfg', changed)
    const [update, missing] = transcripts('xl-4.17-config-update')
    const done = await lab.sh('xl config-update pv1 /lab/cfg/pv1-new.cfg')
    expect(update!.stderr).toStartWith(done.stderr)
    expect((await lab.sh('xl list -l pv1')).stdout).toContain('"target_memkb": 196608')
    expect((await lab.sh('xl config-update nosuch /lab/cfg/pv1-new.cfg')).exit).toBe(1)
    const lost = await lab.sh('xl config-update pv1 /lab/cfg/nothere.cfg')
    expect([lost.exit, missing!.stderr.endsWith(lost.stderr)]).toEqual([253, true])
    await lab.sh('xl reboot pv1')
    await lab.clock.advance(60_000)
    expect((await lab.sh('xl list -l pv1')).stdout).toContain('"target_memkb": 163840')
  })

  test('a guest into a file and back', async () => {
    const saved = await lab.sh('xl save pv1 /lab/pv1.save')
    expect(saved.stderr).toStartWith('Saving to /lab/pv1.save new xl format')
    expect(lab.site.domain('pv1')).toBeUndefined()
    expect(Number((await lab.sh('stat -c %s /lab/pv1.save')).stdout)).toBeGreaterThan(192 * 1_048_576)
    const restored = await lab.sh('xl restore /lab/pv1.save')
    // the length of what xl saves with it, and frames
    const masked = (text: string) => text.replace(/0x3\/0x0\/\d+/, 'INFO').replace(/mfn 0x[0-9a-f]+/g, 'MFN')
    expect([restored.exit, masked(restored.stderr)]).toEqual([0, masked(transcript('xl-4.17-restore').stderr)])
    expect(lab.site.domain('pv1')?.uuid).toBe(LAB_UUIDS.pv1)
  })

  test('nothing of a domain that is gone or never was', async () => {
    const real = [...transcripts('xl-4.17-gone'), transcript('xl-4.17-pause', 1)]
    const ours = []
    for (const { command } of real) ours.push({ command, ...(await lab.sh(command)) })
    expect(ours).toEqual(real)
  })

  test('a guest that pauses', async () => {
    expect(await lab.sh('xl pause pv1')).toEqual({ exit: 0, stdout: '', stderr: transcript('xl-4.17-pause').stderr })
    // it may be halted at that moment, too
    const untimed = (text: string) => text.replace(/ +\d+\.\d$/gm, ' SECONDS').replace('-bp---', '--p---')
    expect(untimed((await lab.sh('xl list pv1')).stdout)).toBe(untimed(pieces(transcript('xl-4.17-pause').stdout)[1]!))
  })
})

describe('xenstore', () => {
  test('has what a real one has of a domain, in its words', async () => {
    const real = new Set(transcript('xenstore-4.17-ls-domain').stdout.split('\n'))
    const ours = (await lab.sh('xenstore-ls -f /local/domain/2')).stdout.split('\n')
    // what differs by nature: rings, processes, and values that only the real guest writes
    const known = ours.filter((line) => !/tty =|device-model-pid =/.test(line))
    expect(known.filter((line) => !real.has(line))).toEqual([])
    expect(known.length).toBeGreaterThan(30)
  })
})

/** The HVM guest of the transcript was still booting: it had not given its video memory back. */
function sameMemory(found: string): string {
  return found.replace('192', '183')
}
