import { openLocalHost } from '../../../src/engine/host/local.ts'
import { hostContract } from '../../contract/host.ts'

hostContract('the local host', async () => openLocalHost('here'))
