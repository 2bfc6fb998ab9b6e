import { resolve } from 'node:path'

/**
 * What starts pengx in a process of its own: the executable that `npm test` has just built of these sources, which is up in a
 * third of the time, or else the sources.
 */
export const PENGX: readonly [string, ...string[]] = process.env.PENGX_BUILT
  ? [process.env.PENGX_BUILT]
  : [process.execPath, resolve(import.meta.dir, '../../src/main.tsx')]
