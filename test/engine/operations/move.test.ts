import { operationSuite } from '../../contract/operation.ts'
import { MOVE_CASES } from './cases/moveCases.ts'

for (const one of MOVE_CASES) operationSuite(one)
