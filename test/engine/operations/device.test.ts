import { operationSuite } from '../../contract/operation.ts'
import { DEVICE_CASES } from './cases/deviceCases.ts'

for (const one of DEVICE_CASES) operationSuite(one)
