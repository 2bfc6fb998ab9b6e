import { readFileSync } from 'node:fs'
import { openPty, type Pty } from '../test/support/pty.ts'
import type { Figure } from './measure.ts'
import { makeStore, PENGX } from './site.ts'

/** The end of a synchronized update: the frame is whole on the terminal (mode 2026). */
const FRAME_END = '\x1b[?2026l'
/** Longer than the pause that Ink takes between two frames, so that every key meets a screen at rest. */
const BETWEEN_KEYS_MS = 120

async function until(look: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!look()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come about`)
    await Bun.sleep(0.5)
  }
}

async function end(pty: Pty): Promise<void> {
  pty.kill('SIGTERM')
  await pty.exited
}

/** From the start of the process to the first whole frame with the site on it. */
export async function measureFirstFrame(): Promise<Figure[]> {
  const path = await makeStore(100)
  const samples: number[] = []
  for (let round = 0; round < 15; round++) {
    const begun = performance.now()
    const pty = openPty([PENGX, '--db', path])
    await until(() => pty.raw().includes(FRAME_END) && pty.text().includes('xen1'), 'the first frame')
    samples.push(performance.now() - begun)
    await end(pty)
  }
  return [{ what: 'first frame, 100 VMs stored', unit: 'ms', samples, bound: 200 }]
}

/** From a key to the end of the frame that answers it, in the list of 10,000 VMs. */
export async function measureKeys(): Promise<Figure[]> {
  const pty = openPty([PENGX, '--db', await makeStore(10_000)])
  await until(() => pty.text().includes('xen1'), 'the first frame')
  pty.type('3')
  await until(() => pty.text().includes('web00000'), 'the list of VMs')
  const figures: Figure[] = []
  for (const [what, keys] of [
    ['next row', 'j'.repeat(150)],
    ['next page', '\x04'.repeat(60)],
    ['filter letter', '/web0123\x1b/web0456\x1b'],
  ] as const) {
    const samples: number[] = []
    for (const key of keys) {
      await Bun.sleep(BETWEEN_KEYS_MS)
      pty.forget()
      const from = pty.raw().length
      const begun = performance.now()
      pty.type(key)
      await until(() => pty.raw().indexOf(FRAME_END, from) >= 0, `the frame after ${JSON.stringify(key)}`)
      samples.push(performance.now() - begun)
    }
    figures.push({ what: `key to frame, 10000 VMs: ${what}`, unit: 'ms', samples, bound: 50 })
  }
  await end(pty)
  return figures
}

/** Processor time and bytes of a demo site that nobody touches, second by second, on its lists of PMs and of VMs. */
export async function measureIdle(): Promise<Figure[]> {
  return [...(await measureIdleScreen('PMs', '1')), ...(await measureIdleScreen('VMs', '3'))]
}

async function measureIdleScreen(name: string, key: string): Promise<Figure[]> {
  const pty = openPty([PENGX, '--demo'])
  await until(() => pty.text().includes('xen1') && !pty.isCooked(), 'the first frame')
  pty.type(key)
  await Bun.sleep(8000)
  const cpu: number[] = []
  const bytes: number[] = []
  for (let second = 0; second < 30; second++) {
    const before = { ticks: ticksOf(pty.pid), length: pty.raw().length, at: performance.now() }
    await Bun.sleep(1000)
    const seconds = (performance.now() - before.at) / 1000
    cpu.push((ticksOf(pty.pid) - before.ticks) / seconds)
    bytes.push(Buffer.byteLength(pty.raw().slice(before.length)) / seconds)
  }
  await end(pty)
  const mean = (samples: readonly number[]) => samples.reduce((sum, sample) => sum + sample, 0) / samples.length
  return [
    { what: `idle demo, ${name}: processor, mean of 30 s`, unit: '%', samples: [mean(cpu)], bound: 1 },
    { what: `idle demo, ${name}: to the terminal, mean of 30 s`, unit: 'B/s', samples: [mean(bytes)], bound: 1000 },
  ]
}

/** A demo of 10,000 VMs, from its start to its first frame and until all of them are there: its own processor time. */
export async function measureOpen(): Promise<Figure[]> {
  const first: number[] = []
  const furnished: number[] = []
  for (let round = 0; round < 3; round++) {
    const pty = openPty([PENGX, '--demo=10000'])
    await until(() => pty.raw().includes(FRAME_END) && pty.text().includes('xen1'), 'the first frame')
    first.push(ticksOf(pty.pid) * 10)
    await until(() => !pty.isCooked(), 'raw mode')
    pty.type('3')
    // Those that are shut down are there only when they have been adopted.
    await until(() => /10000 +sort/.test(pty.text()), 'the furnished site')
    furnished.push(ticksOf(pty.pid) * 10)
    await end(pty)
  }
  return [
    { what: 'demo of 10000 VMs: processor to the first frame', unit: 'ms', samples: first },
    { what: 'demo of 10000 VMs: processor until furnished', unit: 'ms', samples: furnished, bound: 3000 },
  ]
}

/** User and system time, in hundredths of a second (proc(5), fields 14 and 15): so a difference over a second is in percent. */
function ticksOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}
