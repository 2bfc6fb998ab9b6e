import { beforeEach, describe, expect, test } from 'bun:test'
import { play, timeless } from '../support/play.ts'
import { openSimLab, type SimLab } from '../support/sites/simLab.ts'
import { transcripts } from '../support/transcript.ts'

/**
 * Whole transcripts, command by command on one simulated host: exit, output and error text are those of the real one, but
 * for what time and chance decide.
 */

let lab: SimLab
beforeEach(async () => {
  lab = await openSimLab()
  await lab.sh('mkdir -p /var/lib/xen/images')
  await lab.sh('truncate -s 1M /var/lib/xen/images/tiny.iso')
})

const PLAYED = [
  'xl-4.17-error-unknown',
  'xl-4.17-error-unknown-2',
  'xl-4.17-gone',
  'xl-4.17-gone-2',
  'xl-4.17-unpause',
  'xl-4.17-vcpu-set-i',
  'xl-4.17-network-list',
  'xl-4.17-cd',
  'xenstore-4.17-words',
]

test.each(PLAYED)('%s', async (name) => {
  if (name === 'xl-4.17-unpause') await lab.sh('xl pause pv1')
  const differences: unknown[] = []
  for (const { command, ...real } of transcripts(name)) {
    const ours = await play(lab, command)
    const masked = ({ exit, stdout, stderr }: typeof real) => [exit, timeless(stdout), timeless(stderr)]
    if (!Bun.deepEquals(masked(ours), masked(real)))
      differences.push({ command, real: masked(real), ours: masked(ours) })
  }
  expect(differences).toEqual([])
})

describe('a guest', () => {
  /** The frames of a save as they come, and how much xl saves with it, are chance. */
  const masked = (text: string) =>
    timeless(text)
      .replace(/0x3\/0x0\/\d+/, 'INFO')
      .replace(/^xc: progress: Frames: .*\n/gm, '')
      // a device that was taken away while it ran
      .replace(/^libxl: warning: .*:Device present in JSON but not in xenstore, ignored\n/gm, '')

  test.each(['xl-4.17-save', 'xl-4.17-save-checkpoint', 'xl-4.17-destroy'])('%s', async (name) => {
    const [real] = transcripts(name)
    const domid = Number(/domain (\d+)/.exec(real!.stderr)?.[1] ?? 2)
    const guest = lab.site.domain('pv1')!
    guest.domid = domid
    const [command] = real!.command.split(';')
    const { exit, stderr } = await lab.sh(command!)
    expect([`rc=${exit}`, masked(stderr)]).toEqual([real!.stdout.split('\n')[0]!, masked(real!.stderr)])
    expect(lab.site.domain('pv1') === undefined).toBe(!real!.stdout.includes('\npv1 '))
  })

  test('create', async () => {
    await lab.sh('xl destroy hvm1')
    const [real] = transcripts('xl-4.17-create')
    expect(await lab.sh(real!.command)).toEqual({ exit: real!.exit, stdout: real!.stdout, stderr: real!.stderr })
  })
})
