// Of this machine's own directories `npm test` asks the same, with the same programs: here it goes over SSH, to ext4.
import { filesSuite } from '../../volumes.ts'

filesSuite()
