import { z } from 'zod'
import { field } from '../../jobs/params.ts'

/** The way past a PM that sees a volume and cannot be asked (`needSoleUse`): who gives it has made sure himself. */
export const forceField = field(z.boolean().default(false), {
  title: 'Although not all can be asked',
  help: 'go on although a PM that sees its disks cannot be asked whether they are in use there: be sure that it is off',
  advanced: true,
})
