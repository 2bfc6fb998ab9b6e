import { Database } from 'bun:sqlite'
import type { StepEventKind } from '../../src/model/job.ts'

/** Lets one line of every job's journal in a store's file fail to be written; gives how it can be written again. */
export function breakJournal(db: string, step: number, kind: StepEventKind): () => void {
  const file = new Database(db)
  file.run('pragma busy_timeout = 5000')
  const line = `new.step = ${step} and new.kind = '${kind}'`
  file.run(`create trigger broken before insert on jobEvents when ${line} begin select raise(abort, 'broken'); end`)
  return () => {
    file.run('drop trigger broken')
    file.close()
  }
}
