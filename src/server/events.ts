import type { Engine } from '../engine/engine.ts'
import { jobShape } from './views/job.ts'
import { elementJson } from './views/shape.ts'

/**
 * Changes as server-sent events: `event: vm`, `data: {"id": …}`; a job comes whole. A reader that is slower than the
 * site gets each thing once, as it is then: what waits is a set of names, not a queue.
 */
export interface Events {
  open(): Response
  close(): void
}

const KEEP_ALIVE_MS = 15_000
const KINDS = new Set(['pm', 'vm', 'storlink', 'template', 'job'])

export function createEvents(engine: Engine): Events {
  const closers = new Set<() => void>()
  return {
    open() {
      let stop = () => {}
      const waiting = new Map<string, { kind: string; id: string }>()
      const flush = (controller: ReadableStreamDefaultController<Uint8Array>) => {
        if (waiting.size === 0 || (controller.desiredSize ?? 0) <= 0) return
        const text = [...waiting.values()].map(({ kind, id }) => formatEvent(engine, kind, id)).join('')
        waiting.clear()
        controller.enqueue(new TextEncoder().encode(text))
      }
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          const say = (text: string) => controller.enqueue(new TextEncoder().encode(text))
          const unsubscribe = engine.subscribe((changes) => {
            for (const { kind, id } of changes) if (KINDS.has(kind)) waiting.set(`${kind} ${id}`, { kind, id })
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

function formatEvent({ view }: Engine, kind: string, id: string): string {
  const job = kind === 'job' ? view.getJob(id) : undefined
  const data = job ? elementJson(jobShape, job, view) : { id, there: isThere(view, kind, id) }
  return `event: ${kind}\ndata: ${JSON.stringify(data)}\n\n`
}

function isThere(view: Engine['view'], kind: string, id: string): boolean {
  if (kind === 'vm') return view.getVm(id) !== undefined
  if (kind === 'pm') return view.getPm(id) !== undefined
  if (kind === 'storlink') return view.getStorlink(Number(id)) !== undefined
  if (kind === 'template') return view.getTemplate(id) !== undefined
  return view.getJob(id) !== undefined
}
