import type { Engine } from '../engine/engine.ts'

/** The inventory in memory, as the engine shows it. */
export type View = Engine['view']
/** What can be done, as the engine lists it. */
export type Operations = Engine['operations']
