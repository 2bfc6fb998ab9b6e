// What is built once and used by every run, of this clone and of others on the machine.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { mkdir, rename, rm, utimes } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { say } from './command.ts'

/** Outlives a clone: a fresh checkout on the same machine finds what another has built. */
export const cache = resolve(process.env.PENGX_LAB_CACHE ?? join(homedir(), '.cache', 'pengx-lab'))

const UNUSED_MS = 14 * 24 * 3600 * 1000

/**
 * Fills `dir` once: built beside its place and renamed, so that an interrupted build never leaves half of one; a second
 * process that wants the same waits for the first.
 */
export async function buildOnce(dir: string, build: (work: string) => Promise<void>): Promise<void> {
  const lock = `${dir}.lock`
  await mkdir(cache, { recursive: true })
  for (let said = false; !existsSync(dir) && !(await takeLock(lock)); said = true) {
    if (!said) say('another process builds the same: waiting for it')
    await Bun.sleep(1000)
  }
  if (!existsSync(dir)) {
    const work = `${dir}.${process.pid}`
    try {
      await mkdir(work, { recursive: true })
      await build(work)
      await rename(work, dir)
    } finally {
      await rm(work, { recursive: true, force: true })
      await rm(lock, { recursive: true, force: true })
    }
  }
  await utimes(dir, new Date(), new Date())
  await dropUnused()
}

/** A lock is a directory named after its holder's pid within; that of a dead holder is taken over. */
async function takeLock(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
  } catch {
    const holder = existsSync(lock) ? readdirSync(lock)[0] : undefined
    const age = existsSync(lock) ? Date.now() - statSync(lock).mtimeMs : 0
    const dead = holder ? !existsSync(`/proc/${holder}`) : age > 10_000
    if (dead) await rm(lock, { recursive: true, force: true })
    return false
  }
  await mkdir(join(lock, String(process.pid)))
  return true
}

/** Roots of packages that have been replaced since; no run can be using one that was not opened for so long. */
async function dropUnused(): Promise<void> {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name)
    if (/^root-/.test(name) && Date.now() - statSync(path).mtimeMs > UNUSED_MS)
      await rm(path, { recursive: true, force: true })
  }
}
