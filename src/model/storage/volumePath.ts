/**
 * A path as it is compared where nobody can be asked what it leads to: LVM has two names for each volume, and doubled
 * slashes are one. What a volume really is the PM tells (`identify`).
 */
export function canonicalPath(path: string): string {
  const mapped = /^\/dev\/mapper\/((?:[^-]|--)+)-((?:[^-]|--)+)$/.exec(path)
  if (mapped) return `/dev/${mapped[1]!.replaceAll('--', '-')}/${mapped[2]!.replaceAll('--', '-')}`
  return path.includes('//') || path.includes('/./') ? path.replace(/\/(?:\.?\/)+/g, '/') : path
}
