import { rmSync, writeSync } from 'node:fs'
import { openStore, type Store } from '../../../src/engine/store/store.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { newUuid } from '../../../src/lib/ids.ts'
import { toPengxError } from '../../../src/model/error.ts'
import { aJob, aPm, aVm } from './samples.ts'

/**
 * Another process on a store: `argv` is what to do, the file, and how often. It says what has been promised to it, one
 * line each and before it goes on, so that a test can kill it at any moment and ask for all of that.
 */
const [act, path, times] = process.argv.slice(2) as [keyof typeof acts, string, string]

function say(line: string): void {
  writeSync(1, `${line}\n`)
}

const acts = {
  /** Opens a store that may not be there yet. */
  async open(store: Store) {
    await store.inventory.putSetting(store.controller.id, 'was here')
  },

  /** Works on jobs until it is killed. */
  async work(store: Store) {
    const pm = aPm()
    await store.inventory.putPm(pm)
    for (let round = 0; round < Number(times); round++) {
      const vm = aVm(pm.uuid)
      const job = await store.jobs.create(aJob(vm.uuid, { secrets: { key: 'x' } }))
      say(`job ${job.id}`)
      await store.locks.acquire(job.id, [{ key: `vm:${vm.uuid}`, mode: 'exclusive' }])
      await store.jobs.update(job.id, { state: 'running' })
      const event = await store.jobs.appendEvent(job.id, { step: 0, name: 'record', kind: 'started' })
      say(`event ${job.id} ${event.seq}`)
      await store.inventory.putVm(vm)
      say(`vm ${vm.uuid}`)
      if (round % 3 === 0) continue
      await store.jobs.update(job.id, { state: 'done' })
      say(`done ${job.id}`)
    }
  },

  /** Leaves jobs unfinished behind. */
  async leave(store: Store) {
    for (let round = 0; round < Number(times); round++) {
      const job = await store.jobs.create(aJob())
      await store.locks.acquire(job.id, [{ key: `vm:${job.subject.id}`, mode: 'exclusive' }])
    }
    say('left')
    process.kill(process.pid, 'SIGKILL')
  },

  /** Takes over what it can get. */
  async claim(store: Store) {
    for (const stored of await store.jobs.claimJobs()) say(`claimed ${stored.job.id}`)
    // Stays until it is told to go: a claimer that has ended could be inherited from.
    say('ready')
    await Bun.stdin.text()
  },

  /** Writes until the disk is full, and then sees whether the store still answers. */
  async fill(store: Store) {
    const pm = aPm()
    await store.inventory.putPm(pm)
    const desc = 'x'.repeat(20_000)
    try {
      for (;;) {
        const vm = aVm(pm.uuid, { desc })
        await store.inventory.putVm(vm)
        say(`vm ${vm.uuid}`)
      }
    } catch (error) {
      say(`failed ${toPengxError(error).code}: ${toPengxError(error).message}`)
    }
    say(`shows ${store.view.vms().length}`)
    const gone = store.view.vms()[0]!.uuid
    rmSync(times)
    await store.inventory.dropVm(gone)
    await store.inventory.putSetting(newUuid(), 'again')
    say(`shows ${store.view.vms().length}`)
  },
}

try {
  const store = await openStore({ at: { path }, clock: systemClock })
  await acts[act](store)
  await store.close()
} catch (error) {
  say(`failed ${toPengxError(error).code}: ${toPengxError(error).message}`)
  process.exit(1)
}
