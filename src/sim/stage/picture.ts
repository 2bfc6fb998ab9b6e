/** A PM as it can be compared before and after: what counts, without what always differs. */
import { hashText } from '../machine/noise.ts'
import type { Domain, FsNode, PmState } from '../machine/state.ts'

export interface DomainPicture {
  readonly name: string
  readonly uuid: string
  /** A guest that is built, boots or runs is `running`; one that goes down is what it becomes. */
  readonly state: 'running' | 'paused' | 'shutdown' | 'crashed' | 'dying'
  readonly vcpus: number
  readonly memoryMib: number
  readonly disks: readonly string[]
  readonly nics: readonly string[]
}

export function pictureDomains(pm: PmState): DomainPicture[] {
  return pm.domains
    .map((domain) => ({
      name: domain.name ?? '(null)',
      uuid: domain.uuid,
      state: stateOf(domain),
      vcpus: domain.phase === 'building' ? domain.config.vcpus : domain.vcpusOnline,
      memoryMib: domain.phase === 'building' ? domain.config.memoryMib : domain.memoryMib,
      disks: domain.config.disks.map((disk) => `${disk.vdev} ${disk.livePath ?? disk.path}`),
      nics: domain.config.nics.map((nic) => `${nic.devid} ${nic.mac} ${nic.bridge}${nic.half ? ' half' : ''}`),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : a.uuid < b.uuid ? -1 : 1))
}

function stateOf(domain: Domain): DomainPicture['state'] {
  if (domain.phase === 'dying') return 'dying'
  if (domain.phase === 'shutdown') return domain.shutdownReason === 3 ? 'crashed' : 'shutdown'
  return domain.paused ? 'paused' : 'running'
}

export function pictureFiles(pm: PmState): Record<string, string> {
  const files: Record<string, string> = {}
  const visit = (path: string, node: FsNode) => {
    if (path !== '') files[path] = describe(node)
    if (node.kind !== 'dir') return
    for (const name of Object.keys(node.children).sort()) visit(`${path}/${name}`, node.children[name]!)
  }
  visit('', pm.root)
  return files
}

function describe(node: FsNode): string {
  const mode = node.mode.toString(8)
  if (node.kind === 'dir') return `directory ${mode}`
  if (node.kind === 'link') return `link to ${node.target}`
  const { image } = node
  if (image) {
    const on = image.backing === undefined ? '' : ` on ${image.backing}`
    return `${image.format} image of ${image.virtualSize} bytes, mode ${mode}${on}`
  }
  return `${node.kind} of ${node.size} bytes, mode ${mode}, ${hashText(node.text ?? '').toString(16)}`
}
