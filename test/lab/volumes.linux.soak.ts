// What is not in the short suite: a directory (which every machine that runs the tests has, too) and a thin pool.
import { filesSuite, groupSuite } from './volumes.ts'

filesSuite()
groupSuite('thin logical volumes of a real pool', 'vgthin', true)
