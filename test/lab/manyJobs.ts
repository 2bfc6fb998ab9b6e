// Many requests at once, as a script would send them: all are asked before the first is answered.
import { expect } from 'bun:test'
import type { Served } from './pengx.ts'

export type Request = readonly [method: string, path: string, body?: object]

/** All are asked before one is done; every one of them must end well. */
export async function allDone(api: Served, requests: readonly Request[]): Promise<void> {
  const answers = await Promise.all(
    requests.map(([method, path, body]) => api.ask(method, path, body, 'respond-async')),
  )
  expect(answers.map(({ status }) => status)).toEqual(requests.map(() => 202))
  let open = answers.map(({ body }) => (body.job as { id: string }).id)
  while (open.length > 0) {
    const jobs = await Promise.all(open.map(async (id) => (await api.ask('GET', `/jobs/${id}/`)).body.job as JobRow))
    const bad = jobs.filter((job) => !['queued', 'running', 'done'].includes(job.state))
    expect(bad).toEqual([])
    open = open.filter((_, index) => jobs[index]!.state !== 'done')
    await Bun.sleep(300)
  }
}

interface JobRow {
  readonly state: string
  readonly message: string
}

/** The UUIDs of VMs, by their names. */
export async function idsOf(api: Served, names: readonly string[]): Promise<string[]> {
  const { vms } = (await api.ask('GET', '/vms/')).body as { vms: { id: string; name: string }[] }
  return names.map((name) => vms.find((vm) => vm.name === name)!.id)
}
