import { operationSuite } from '../../contract/operation.ts'
import { KEY_CASES } from './cases/keyCases.ts'

for (const one of KEY_CASES) operationSuite(one)
