import { operationSuite } from '../../contract/operation.ts'
import { PM_CASES, VM_CASES } from './cases/vmCases.ts'

for (const one of [...PM_CASES, ...VM_CASES]) operationSuite(one)
