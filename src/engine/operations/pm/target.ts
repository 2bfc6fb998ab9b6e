import { z } from 'zod'
import { field } from '../../jobs/params.ts'

/** What the operations on PMs have in common: how the machine that is meant is reached. */

export const destinationField = field(z.string().min(1), {
  title: 'Destination',
  help: '[user@]host[:port], or an alias of ~/.ssh/config; local: this machine',
})

/** How hosts are told to reach it: `local` stays, the rest is SSH unless it says otherwise. */
export function normalDestination(text: string): string {
  return text === 'local' || text.startsWith('ssh:') || text.startsWith('sim:') ? text : `ssh:${text}`
}
