import type { WrongVolume } from '../../model/wrongVolume.ts'

/** What a look has to say of a VM beside its domain's state; a VM of which there is nothing to say has none. */
export interface Mark {
  readonly wrongVolumes?: readonly WrongVolume[]
  /** Lines of drift that last as long as what they tell. */
  readonly drift: readonly string[]
}

export type Marks = ReadonlyMap<string, Mark>

/** How the lines of drift that marks bring begin, so that they go with what they tell of. */
export const NAMESAKE = 'a domain of its name'
export const OTHERS_NAME = 'has the name of VM'

export function isOfMark(line: string): boolean {
  return line.startsWith(NAMESAKE) || line.startsWith(OTHERS_NAME)
}
