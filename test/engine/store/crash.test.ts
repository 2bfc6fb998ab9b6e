import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { hear, startChild } from './children.ts'
import { newPlace } from './samples.ts'

function checkFile(path: string): void {
  const file = new Database(path)
  try {
    expect(file.query('pragma integrity_check').get()).toEqual({ integrity_check: 'ok' })
    expect(file.query('pragma foreign_key_check').all()).toEqual([])
  } finally {
    file.close()
  }
}

test('killed at any moment, the store has all that was promised and no half of anything', async () => {
  await using place = newPlace()
  for (const patience of [1, 6, 20, 55]) {
    const child = startChild('work', place.path, 1_000_000)
    const heard: string[] = []
    // Killed after so many promises: somewhere in the middle of the next one.
    const listening = (async () => {
      let text = ''
      for await (const piece of child.stdout) {
        text += new TextDecoder().decode(piece)
        if (text.split('\n').length > patience) child.kill('SIGKILL')
      }
      heard.push(
        ...text
          .slice(0, text.lastIndexOf('\n') + 1)
          .split('\n')
          .filter(Boolean),
      )
    })()
    await child.exited
    await listening
    expect(child.signalCode).toBe('SIGKILL')
    expect(heard.length).toBeGreaterThanOrEqual(patience)

    const store = await place.open()
    const claimed = new Map((await store.jobs.claimJobs()).map((stored) => [stored.job.id, stored]))
    const locks = place.locks()
    const done = new Set(heard.filter((line) => line.startsWith('done')).map((line) => line.split(' ')[1]!))
    for (const line of heard) {
      const [what, id, seq] = line.split(' ') as [string, string, string]
      if (what === 'vm') expect(store.view.getVm(id)?.uuid).toBe(id)
      if (what === 'done') expect(store.view.needJob(id).state).toBe('done')
      if (what === 'event') expect((await store.jobs.load(id)).events.map((event) => event.seq)).toContain(Number(seq))
      if (what === 'job' && !done.has(id) && claimed.has(id)) expect(await store.jobs.secrets(id)).toEqual({ key: 'x' })
      if (what === 'job' && !done.has(id)) expect(claimed.has(id) || store.view.needJob(id).state === 'done').toBe(true)
    }
    for (const { job, events } of claimed.values()) {
      expect((await store.jobs.load(job.id)).owner).toEqual(store.controller)
      if (job.state === 'running') expect(locks.some((lock) => lock.job === job.id && lock.state === 'held')).toBe(true)
      if (job.state === 'queued') expect(events).toEqual([])
    }
    for (const id of claimed.keys()) await store.jobs.update(id, { state: 'undone' })
    expect(place.locks()).toEqual([])
    await store.close()
    checkFile(place.path)
  }
})

test('processes that write at once lose nothing and give no number twice', async () => {
  await using place = newPlace()
  const children = [1, 2, 3].map(() => startChild('work', place.path, 40))
  const heard = (await Promise.all(children.map((child) => hear(child)))).flat()
  expect(await Promise.all(children.map((child) => child.exited))).toEqual([0, 0, 0])
  const { view } = await place.open()
  const vms = heard.filter((line) => line.startsWith('vm')).map((line) => line.slice(3))
  expect(vms).toHaveLength(120)
  expect(
    view
      .vms()
      .map((vm) => vm.uuid)
      .sort(),
  ).toEqual(vms.sort())
  expect(view.jobs().map((job) => job.number)).toEqual(Array.from({ length: 120 }, (_, index) => 120 - index))
})

test('what a dead process has left, several take over, each job once', async () => {
  await using place = newPlace()
  const dying = startChild('leave', place.path, 30)
  expect(await hear(dying)).toEqual(['left'])
  await dying.exited
  const claimers = [1, 2, 3].map(() => startChild('claim', place.path))
  const heard = (await Promise.all(claimers.map((child) => hear(child, 'ready')))).flat()
  const store = await place.open()
  expect(heard.filter((line) => line.startsWith('claimed'))).toHaveLength(30)
  expect(new Set(heard.filter((line) => line.startsWith('claimed'))).size).toBe(30)
  // They live, so nobody takes anything from them; the locks are still those of the jobs.
  expect(await store.jobs.claimJobs()).toEqual([])
  expect(place.locks()).toHaveLength(30)
  for (const child of claimers) child.stdin.end()
  await Promise.all(claimers.map((child) => child.exited))
  expect(await store.jobs.claimJobs()).toHaveLength(30)
})
