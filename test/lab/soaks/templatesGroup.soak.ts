import { group, templateSuite } from '../templates.ts'

templateSuite('a template in a volume group', group)
