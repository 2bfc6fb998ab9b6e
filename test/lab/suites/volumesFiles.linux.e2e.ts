import { filesSuite } from '../volumes.ts'

filesSuite()
