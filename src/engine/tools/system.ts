import { type Program, reads } from './program.ts'

/** What a Linux dom0 tells about itself in /etc, /proc and /sys, and df(1), hostname(1), uname(1). */

export const machineIdFile: Program = reads('cat', '/etc/machine-id')
/** The firmware's UUID of the machine, for a system without /etc/machine-id; root alone reads it. */
export const productUuidFile: Program = reads('cat', '/sys/class/dmi/id/product_uuid')
export const bootIdFile: Program = reads('cat', '/proc/sys/kernel/random/boot_id')
export const uptimeFile: Program = reads('cat', '/proc/uptime')
export const loadFile: Program = reads('cat', '/proc/loadavg')
export const networkCountersFile: Program = reads('cat', '/proc/net/dev')
export const hostName: Program = reads('hostname')
export const kernelRelease: Program = reads('uname', '-r')

/** Space of the file system that a path lies on, in MiB, in POSIX's columns. */
export function freeSpace(path: string): Program {
  return reads('df', '-P', '-B', '1M', path)
}

/**
 * 32 hexadecimal digits, from either source; undefined where the file is empty, `uninitialized` or something else, and for
 * what many boards carry in place of a UUID of their own.
 */
export function parseMachineId(text: string): string | undefined {
  const digits = text.trim().toLowerCase().replaceAll('-', '')
  return /^[0-9a-f]{32}$/.test(digits) && !isShared(digits) ? digits : undefined
}

/** Product UUIDs that makers of boards left as they were given to them; both orders of the first three fields. */
const SHARED_UUIDS = [
  '03000200-0400-0500-0006-000700080009',
  '00020003-0004-0005-0006-000700080009',
  '6ab5b300-538d-1014-9fb5-b0684d007b53',
  '00b3b56a-8d53-1410-9fb5-b0684d007b53',
  '12345678-1234-5678-90ab-cddeefaabbcc',
  '78563412-3412-7856-90ab-cddeefaabbcc',
].map((uuid) => uuid.replaceAll('-', ''))

/** One pair of digits throughout is none either: zeros, `ff`, `01`, `fe`. */
function isShared(digits: string): boolean {
  return /^(..)\1*$/.test(digits) || SHARED_UUIDS.includes(digits)
}

/** Why a machine cannot be told from others, from what its two files say; an unreadable file is `''`. */
export function noIdentity(machineId: string, productUuid: string): string {
  const say = (file: string, text: string) => {
    const said = text.trim()
    if (said === '') return `${file} is empty or cannot be read`
    const digits = said.toLowerCase().replaceAll('-', '')
    const isKnown = /^[0-9a-f]{32}$/.test(digits)
    return isKnown
      ? `${file} is ${said}, which many machines have`
      : `${file} says ${JSON.stringify(said.slice(0, 60))}`
  }
  return `${say('/etc/machine-id', machineId)}, and ${say('its product UUID', productUuid)}`
}

export function parseUptime(text: string): number | undefined {
  const seconds = Number(text.trim().split(/\s+/)[0] || Number.NaN)
  return Number.isFinite(seconds) ? seconds : undefined
}

/** The load of the last minute. */
export function parseLoad(text: string): number | undefined {
  return parseUptime(text)
}

export interface NetworkCounters {
  readonly name: string
  readonly rxBytes: number
  readonly txBytes: number
}

/** Rows of /proc/net/dev; an old kernel leaves no blank after the colon. */
export function parseNetworkCounters(text: string): NetworkCounters[] {
  const rows: NetworkCounters[] = []
  for (const line of text.split('\n')) {
    const found = /^\s*(\S+?):\s*(\d.*)$/.exec(line)
    if (!found) continue
    const columns = found[2]!.trim().split(/\s+/).map(Number)
    if (columns.length < 9) continue
    rows.push({ name: found[1]!, rxBytes: columns[0]!, txBytes: columns[8]! })
  }
  return rows
}

export interface FileSystemSpace {
  readonly device: string
  readonly sizeMib: number
  readonly freeMib: number
}

/** The last row of df(1): a path is asked for, so there is one. */
export function parseFreeSpace(stdout: string): FileSystemSpace | undefined {
  const row = stdout.trim().split('\n').at(-1) ?? ''
  const found = /^(.+?)\s+(\d+)\s+\d+\s+(-?\d+)\s+\S+\s+\/.*$/.exec(row)
  if (!found) return undefined
  return {
    device: found[1]!,
    sizeMib: Number(found[2]),
    freeMib: Math.max(0, Number(found[3])),
  }
}
