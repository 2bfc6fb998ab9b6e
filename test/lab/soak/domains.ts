// Which domain runs where, as the hosts themselves say.
import { type LabHost, sh } from '../machine/ssh.ts'

export interface Domain {
  readonly host: string
  readonly name: string
  readonly uuid: string
}

export async function domainsOn(hosts: readonly LabHost[]): Promise<Domain[]> {
  const lists = hosts.map(async (host) => {
    const text = await sh(host, "xl list -v | awk 'NR > 2 { print $1, $7 }'")
    const lines = text.split('\n').filter(Boolean)
    return lines.map((line) => {
      const [name, uuid] = line.split(' ') as [string, string]
      return { host: host.name, name, uuid }
    })
  })
  return (await Promise.all(lists)).flat().sort((a, b) => (a.name < b.name ? -1 : 1))
}
