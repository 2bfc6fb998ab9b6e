import type { Engine } from '../engine/engine.ts'
import { isNoun, type Noun } from '../model/noun.ts'
import { jobShape } from './views/job.ts'
import { elementJson } from './views/shape.ts'

/**
 * Changes as server-sent events: `event: vm`, `data: {"id": …}`; a job comes whole. A reader that is slower than the
 * site gets each thing once, as it is then: what waits is a set of names, not a queue. `event: wrong-volumes` comes beside a
 * VM's own where it has come to write to what it must not, or does no more: then the list is empty.
 */
export interface Events {
  open(): Response
  close(): void
}

const KEEP_ALIVE_MS = 15_000

export function createEvents(engine: Engine): Events {
  const closers = new Set<() => void>()
  return {
    open() {
      let stop = () => {}
      /** As the reader was told last. */
      const wrongOf = new Map(
        engine.view.vms().flatMap(({ uuid, seen }) => (seen.wrongVolumes ? [[uuid, seen.wrongVolumes] as const] : [])),
      )
      const wrongVolumes = (vm: string): string => {
        const now = engine.view.getVm(vm)?.seen.wrongVolumes
        if (now === wrongOf.get(vm)) return ''
        if (now) wrongOf.set(vm, now)
        else wrongOf.delete(vm)
        return `event: wrong-volumes\ndata: ${JSON.stringify({ id: vm, volumes: now ?? [] })}\n\n`
      }
      const waiting = new Map<string, { kind: Noun | 'job'; id: string }>()
      const flush = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        if (waiting.size === 0 || (controller.desiredSize ?? 0) <= 0) return
        const texts = [...waiting.values()].map(
          ({ kind, id }) => formatEvent(engine, kind, id) + (kind === 'vm' ? wrongVolumes(id) : ''),
        )
        const text = texts.join('')
        waiting.clear()
        controller.enqueue(new TextEncoder().encode(text))
      }
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          const say = (text: string) => controller.enqueue(new TextEncoder().encode(text))
          const unsubscribe = engine.subscribe((changes) => {
            for (const { kind, id } of changes)
              if (kind === 'job' || isNoun(kind)) waiting.set(`${kind} ${id}`, { kind, id })
            flush(controller)
          })
          const timer = setInterval(() => (controller.desiredSize ?? 0) > 0 && say(': still here\n\n'), KEEP_ALIVE_MS)
          timer.unref?.()
          stop = () => {
            clearInterval(timer)
            unsubscribe()
            closers.delete(end)
          }
          const end = () => {
            stop()
            controller.close()
          }
          closers.add(end)
          say(`event: hello\ndata: ${JSON.stringify({ revision: engine.view.revision })}\n\n`)
        },
        pull: flush,
        cancel: () => stop(),
      })
      return new Response(stream, {
        headers: { 'Content-Type': 'text/event-stream; charset=utf-8', 'Cache-Control': 'no-store' },
      })
    },
    close() {
      for (const end of [...closers]) end()
    },
  }
}

function formatEvent({ view }: Engine, kind: Noun | 'job', id: string): string {
  const job = kind === 'job' ? view.getJob(id) : undefined
  const there = kind !== 'job' && view.find(kind, id) !== undefined
  const data = job ? elementJson(jobShape, job, view) : { id, there }
  return `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`
}
