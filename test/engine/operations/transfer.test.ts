import { operationSuite } from '../../contract/operation.ts'
import { TRANSFER_CASES } from './cases/transferCases.ts'

for (const one of TRANSFER_CASES) operationSuite(one)
