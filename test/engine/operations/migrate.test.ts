import { operationSuite } from '../../contract/operation.ts'
import { MIGRATE_CASES } from './cases/migrateCases.ts'

for (const one of MIGRATE_CASES) operationSuite(one)
