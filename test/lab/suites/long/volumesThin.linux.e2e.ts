import { groupSuite } from '../../volumes.ts'

groupSuite('thin logical volumes of a real pool', 'vgthin', true)
