import { operationSuite } from '../../contract/operation.ts'
import { SCHEDULE_CASES } from './cases/scheduleCases.ts'

for (const one of SCHEDULE_CASES) operationSuite(one)
