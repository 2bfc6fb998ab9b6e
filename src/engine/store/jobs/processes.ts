import { readFileSync, readlinkSync } from 'node:fs'
import { newUuid } from '../../../lib/ids.ts'
import type { Controller } from './controllers.ts'

/** This process as a controller. */
export function thisController(startedAt: number): Controller {
  return {
    id: newUuid(),
    machineBootId: bootId(),
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? 0,
    pidNamespace: pidNamespace(),
    startedAt,
  }
}

/**
 * A store's file lies on one machine (several cannot share a WAL), so another boot id means that this machine has been
 * started again since. A process of another PID namespace, of a container, cannot be judged by its number: it counts as
 * alive, because two that work on one job are worse than one job that waits for a person.
 */
export function isDead(owner: Controller): boolean {
  if (owner.machineBootId !== bootId()) return true
  if (owner.pidNamespace !== pidNamespace()) return false
  if (owner.startTicks === 0) return !answersSignals(owner.pid)
  return startTicksOf(owner.pid) !== owner.startTicks
}

/** Field 22 of proc_pid_stat(5); the name before it may hold blanks and parentheses. */
function startTicksOf(pid: number): number | undefined {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return undefined
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie has ended, whoever has yet to be told.
  return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19])
}

function bootId(): string {
  return readText('/proc/sys/kernel/random/boot_id')?.trim() ?? ''
}

function pidNamespace(): string {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return ''
  }
}

/** Where there is no /proc. */
function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM'
  }
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
