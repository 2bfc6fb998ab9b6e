import { operationSuite } from '../../contract/operation.ts'
import { BACKUP_CASES } from './cases/backupCases.ts'

for (const one of BACKUP_CASES.filter(({ operation }) => operation !== 'backup.create')) operationSuite(one)
