import { operationSuite } from '../../contract/operation.ts'
import { SHARED_GROUP_CASES } from './sharedGroupCases.ts'

for (const one of SHARED_GROUP_CASES) operationSuite(one)
