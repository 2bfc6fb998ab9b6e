/** Sizes and rates for people. Sizes of memory and disks are in MiB everywhere inside; rates are bytes per second. */

/** `512 MiB`, `8 GiB`, `41.2 GiB`, `1.5 TiB`. */
export function formatMib(mib: number): string {
  if (mib < 1024) return `${trim(mib, 0)} MiB`
  if (mib < 1024 * 1024) return `${trim(mib / 1024, 1)} GiB`
  return `${trim(mib / 1024 / 1024, 1)} TiB`
}

/** The number of GiB alone, for a column that says GiB in its title: `8`, `0.5`, `41.2`. */
export function formatGib(mib: number): string {
  const gib = mib / 1024
  return trim(gib, gib >= 1000 ? 0 : 1)
}

/** Bytes per second as megabits per second, as network people count. */
export function formatMbit(bytesPerSecond: number): string {
  return trim((bytesPerSecond * 8) / 1e6, bytesPerSecond * 8 < 9.95e6 ? 1 : 0)
}

/** Bytes per second as megabytes per second, as disk people count. */
export function formatMbyte(bytesPerSecond: number): string {
  return (bytesPerSecond / 1e6).toFixed(1)
}

function trim(value: number, digits: number): string {
  const text = value.toFixed(digits)
  return text.includes('.') ? text.replace(/\.0+$/, '') : text
}
