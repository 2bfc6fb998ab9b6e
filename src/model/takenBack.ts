import { isSame, type Json } from './json.ts'
import type { VmSpec } from './vm.ts'

const SINGLE = ['name', 'domainName', 'vcpuCount', 'maxVcpuCount', 'memoryMib', 'maxmemMib', 'boot'] as const

/**
 * What a change has made of one specification is taken out of another that holds it: what differs between `changed` and
 * `before` is as in `before`, all else as it is in `now`, which somebody has changed since.
 */
export function takenBack(now: VmSpec, changed: VmSpec, before: VmSpec): VmSpec {
  const singles = SINGLE.filter((field) => !isSame(changed[field] as Json, before[field] as Json))
  return {
    ...now,
    ...Object.fromEntries(singles.map((field) => [field, before[field]])),
    disks: listBack(now.disks, changed.disks, before.disks, ({ vdev }) => vdev),
    drives: listBack(now.drives, changed.drives, before.drives, ({ vdev }) => vdev),
    nics: listBack(now.nics, changed.nics, before.nics, ({ name }) => name),
  }
}

function listBack<T>(now: readonly T[], changed: readonly T[], before: readonly T[], keyOf: (one: T) => string): T[] {
  const find = (list: readonly T[], key: string) => list.find((one) => keyOf(one) === key)
  const touched = (key: string) => !isSame((find(changed, key) ?? null) as Json, (find(before, key) ?? null) as Json)
  const kept = now.flatMap((one) => {
    if (!touched(keyOf(one))) return [one]
    const then = find(before, keyOf(one))
    return then === undefined ? [] : [then]
  })
  return [...kept, ...before.filter((one) => touched(keyOf(one)) && !find(now, keyOf(one)))]
}
