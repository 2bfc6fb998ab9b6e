// A short form of the soak's twenty: as many as a small host starts in a few minutes.
import { test } from 'bun:test'
import { labHost } from './ssh.ts'
import { manyFromTemplate } from './templatesMany.ts'

test('five VMs of one template at once', () => manyFromTemplate(labHost(), 5))
