import { filesSuite, groupSuite } from '../volumes.ts'

filesSuite()
groupSuite('logical volumes of a real group', 'vgthick', false)
