import { operationSuite } from '../../contract/operation.ts'
import { COPY_CASES } from './cases/copyCases.ts'

for (const one of COPY_CASES) operationSuite(one)
