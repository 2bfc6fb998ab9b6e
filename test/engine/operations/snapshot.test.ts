import { operationSuite } from '../../contract/operation.ts'
import { SNAPSHOT_CASES } from './cases/snapshotCases.ts'

for (const one of SNAPSHOT_CASES) operationSuite(one)
