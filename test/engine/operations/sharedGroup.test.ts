import { operationSuite } from '../../contract/operation.ts'
import { SHARED_GROUP_CASES } from './cases/sharedGroupCases.ts'

for (const one of SHARED_GROUP_CASES) operationSuite(one)
