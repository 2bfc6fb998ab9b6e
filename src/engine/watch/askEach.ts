import type { Clock } from '../../lib/clock.ts'
import { batch, splitBatch } from '../host/batch.ts'
import type { Host, Output } from '../host/host.ts'
import { runWatched } from '../host/run.ts'
import type { Program } from '../tools/program.ts'

/** What is asked of one place of a PM (a directory, a storlink, an image), in one command or a few. */
export interface Question<A> {
  readonly place: string
  readonly parts: readonly Program[]
  read(outputs: readonly Output[]): A
}

/**
 * Asks many places in one round trip, and lives with those that do not answer: a file system whose server is gone keeps
 * whoever looks at it for as long as it is gone, and no signal ends that. So a command that hangs is neither waited for
 * nor ended; the places behind the one that it hangs at are asked by another, and that one not again before it has ended.
 */
export interface Asker {
  /** The answers of those that gave one, by place; never fails. */
  ask<A>(host: Host, questions: readonly Question<A>[]): Promise<ReadonlyMap<string, A>>
}

/** A place that says nothing for so long hangs. */
const PATIENCE_MS = 10_000
/** Each that hangs keeps one of the PM's few places for commands: with so many, nothing more is asked. */
const MOST_HANGING = 2
/** So that the script of one batch stays well under what a shell takes as one word (128 KiB). */
const AT_ONCE = 200

/** For one PM and one kind of question. */
export function createAsker(clock: Clock): Asker {
  const hanging = new Set<string>()

  /** How many of them are done with: all, or those up to the one at which the command hangs. */
  async function askSome<A>(host: Host, some: readonly Question<A>[], answers: Map<string, A>): Promise<number> {
    const parts = some.flatMap((question) => question.parts)
    const talk = listenTo(host, clock)
    const over = runWatched(talk.host, batch(parts), talk.hear)
    const ended = await endsOrHangs(over, talk, clock)
    const outputs = splitBatch({ exit: 0, stdout: talk.said(), stderr: '' })
    let answered = 0
    for (const question of some) {
      const own = outputs.splice(0, question.parts.length)
      if (own.length < question.parts.length) break
      answers.set(question.place, question.read(own))
      answered++
    }
    const stuck = some[answered]
    if (ended || stuck === undefined) return some.length
    hanging.add(stuck.place)
    void over.catch(() => undefined).then(() => hanging.delete(stuck.place))
    return answered + 1
  }

  return {
    async ask<A>(host: Host, questions: readonly Question<A>[]) {
      const answers = new Map<string, A>()
      let rest = questions.filter(({ place }) => !hanging.has(place))
      while (rest.length > 0 && hanging.size < MOST_HANGING) {
        try {
          rest = rest.slice(await askSome(host, rest.slice(0, AT_ONCE), answers))
        } catch {
          // The PM itself does not answer, and the look says so.
          break
        }
      }
      return answers
    },
  }
}

interface Talk {
  /** The host, which also tells when a command has begun: until then it waits for its turn, and does not hang. */
  readonly host: Host
  hear(text: string): void
  said(): string
  /** When it began or said something last; undefined: it has not begun. */
  heardAt(): number | undefined
}

function listenTo(host: Host, clock: Clock): Talk {
  let said = ''
  let heardAt: number | undefined
  return {
    host: {
      ...host,
      async open(...given) {
        const process = await host.open(...given)
        heardAt = clock.now()
        return process
      },
    },
    hear(text) {
      said += text
      heardAt = clock.now()
    },
    said: () => said,
    heardAt: () => heardAt,
  }
}

/** True: it has ended; false: it hangs. Fails as the command does. */
async function endsOrHangs(over: Promise<unknown>, talk: Talk, clock: Clock): Promise<boolean> {
  for (;;) {
    const leftMs = (talk.heardAt() ?? clock.now()) + PATIENCE_MS - clock.now()
    if (leftMs <= 0) return false
    if (await isOverWithin(over, leftMs, clock)) return true
  }
}

/** Whether it is over before so much time has passed; fails as it does. */
export async function isOverWithin(over: Promise<unknown>, ms: number, clock: Clock): Promise<boolean> {
  const waiting = new AbortController()
  const slept = clock.sleep(ms, waiting.signal).then(
    () => false,
    () => false,
  )
  try {
    return await Promise.race([over.then(() => true), slept])
  } finally {
    waiting.abort()
  }
}
