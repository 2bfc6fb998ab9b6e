import { operationSuite } from '../../contract/operation.ts'
import { STORLINK_CASES } from './cases/storlinkCases.ts'

for (const one of STORLINK_CASES) operationSuite(one)
