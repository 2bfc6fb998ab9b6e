import { openLocalHost } from '../../../src/engine/host/local.ts'
import { hostContract } from '../../contract/host.ts'
import { hostEndingsContract } from '../../contract/hostEndings.ts'

hostContract('the local host', async () => openLocalHost('here'))
hostEndingsContract('the local host', async () => openLocalHost('here'))
