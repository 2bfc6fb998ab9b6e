import { openLocalHost } from '../../../src/engine/host/local.ts'

/** A pengx that is killed (SIGKILL, no farewell) while commands of it are at work. Started by lost.test.ts. */
const commands = JSON.parse(process.argv[2]!)
for (const command of commands) await openLocalHost('here').open(command)
process.stdout.write('begun\n')
await Bun.sleep(60_000)
