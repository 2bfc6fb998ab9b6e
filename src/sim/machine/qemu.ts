// What a simulated QEMU has of its own, as plain data: it goes with the domain.

/** A node that QMP added: an image with the node of its file, or a limit that stands on another. */
export interface SimNode {
  name: string
  path: string
  format: string
  fileName?: string
  on?: string
  group?: string
  backing?: string
}

/** A copy that QEMU makes; what it writes is there when its time has come and somebody asks. */
export interface SimBlockJob {
  id: string
  type: 'backup' | 'stream' | 'mirror'
  /** The node that it writes to, or for `stream` the path of the image. */
  target: string
  /** The nodes of which nobody else may take hold meanwhile. */
  nodes: string[]
  /** Bytes a second; 0: as fast as it goes. */
  speed: number
  /** Nobody has to put it away. */
  dismissed?: true
  /** Those of one that fails are cancelled with it. */
  group?: string
  /** For `stream`: what the image shall lie on. */
  base?: { path: string; format: string }
  bytes: number
  virtualSize: number
  startedAt: number
  endsAt: number
  /** It waits to be told to make its last change (`auto-finalize: false`), or does when it has done all else. */
  held?: 'later' | 'now'
  /** For `mirror`: the disk's node, whose place its target takes; all is copied, and it goes on until it is told to end. */
  source?: string
  ready?: true
  /** What it has written is in the image, and not in QEMU's memory alone. */
  flushed?: true
  concluded?: true
  error?: string
}
