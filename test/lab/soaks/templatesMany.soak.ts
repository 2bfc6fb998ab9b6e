// Twenty VMs of one template at once; all of their guests run beside each other.
import { test } from 'bun:test'
import { labHost } from '../machine/ssh.ts'
import { manyFromTemplate } from '../templatesMany.ts'

test('twenty VMs of one template at once', () => manyFromTemplate(labHost(), 20), 7_200_000)
