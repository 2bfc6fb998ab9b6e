import { PengxError } from '../../model/error.ts'
import type { Level } from '../../model/storlink.ts'
import { blockVolumes } from './block.ts'
import { fileVolumes } from './file.ts'
import type { VolumeDriver } from './volumeDriver.ts'

/** The drivers there are, by level. */
const DRIVERS: Partial<Record<Level, VolumeDriver>> = { FL: fileVolumes, BL: blockVolumes }

/** The one driver of a level, the same for all PMs; `unsupported` where this version has none. */
export function needDriver(level: Level): VolumeDriver {
  const driver = DRIVERS[level]
  if (driver) return driver
  throw new PengxError(
    'unsupported',
    `there is no driver for level ${level}: this version keeps disks in files (FL) and on logical volumes (BL)`,
  )
}
