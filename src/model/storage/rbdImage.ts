/** An RBD image as QEMU is told of it: `rbd:POOL/[NAMESPACE/]IMAGE[@SNAPSHOT][:OPTION=VALUE]…` (qemu-block-drivers(7)). */
export interface RbdImage {
  readonly pool: string
  /** Empty: that without a name. */
  readonly namespace: string
  readonly image: string
  /** By Ceph's names of them: `id`, `conf`, `mon_host` … */
  readonly options: readonly (readonly [name: string, value: string])[]
}

/** Pure. Undefined for what is no such path. */
export function rbdImageOf(path: string): RbdImage | undefined {
  if (!path.startsWith('rbd:')) return undefined
  // `\:` and the like are the character itself.
  const parts = (path.slice(4).match(/(?:\\[\s\S]|[^:\\])+/g) ?? []).map((part) => part.replace(/\\([\s\S])/g, '$1'))
  const [name = '', ...rest] = parts
  const words = name.split('@')[0]!.split('/')
  if (words.length < 2 || words.length > 3 || words.some((word) => word === '')) return undefined
  const options = rest.flatMap((part): [string, string][] => {
    const at = part.indexOf('=')
    return at > 0 ? [[part.slice(0, at), part.slice(at + 1)]] : []
  })
  return { pool: words[0]!, namespace: words.length === 3 ? words[1]! : '', image: words.at(-1)!, options }
}

/** Pure. As Ceph's own programs are told which image is meant, and nothing of how it is reached. */
export function rbdSpec({ pool, namespace, image }: RbdImage): string {
  return [pool, namespace, image].filter((word) => word !== '').join('/')
}
