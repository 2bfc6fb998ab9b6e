import { operationSuite } from '../../contract/operation.ts'
import { TEMPLATE_CASES } from './cases/templateCases.ts'

for (const one of TEMPLATE_CASES) operationSuite(one)
