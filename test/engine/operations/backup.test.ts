import { operationSuite } from '../../contract/operation.ts'
import { BACKUP_CASES } from './cases/backupCases.ts'
import { RESTORE_CASES } from './cases/restoreCases.ts'

const OTHERS = BACKUP_CASES.filter(({ operation }) => operation !== 'backup.create')
for (const one of [...OTHERS, ...RESTORE_CASES]) operationSuite(one)
