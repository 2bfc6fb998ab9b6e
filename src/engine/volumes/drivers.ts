import { PengxError } from '../../model/error.ts'
import type { Level } from '../../model/storlink.ts'
import { blockVolumesAt } from './block.ts'
import { fileVolumes } from './file.ts'
import { type GroupPlaces, ownGroup } from './groupPlace.ts'
import type { VolumeDriver } from './volumeDriver.ts'

/** The drivers there are, by level. */
const DRIVERS: Partial<Record<Level, (at: GroupPlaces) => VolumeDriver>> = {
  FL: () => fileVolumes,
  BL: blockVolumesAt,
}

/**
 * The one driver of a level, the same for all PMs; `at` says where a volume group is changed. `unsupported` where this
 * version has none.
 */
export function needDriver(level: Level, at: GroupPlaces = ownGroup): VolumeDriver {
  const driver = DRIVERS[level]
  if (driver) return driver(at)
  throw new PengxError(
    'unsupported',
    `there is no driver for level ${level}: this version keeps disks in files (FL) and on logical volumes (BL)`,
  )
}
