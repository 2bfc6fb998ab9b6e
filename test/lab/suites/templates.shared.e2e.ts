import { directory, templateSuite } from '../templates.ts'

templateSuite('a template in a directory', directory)
