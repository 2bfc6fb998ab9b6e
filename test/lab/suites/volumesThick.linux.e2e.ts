import { groupSuite } from '../volumes.ts'

groupSuite('logical volumes of a real group', 'vgthick', false)
