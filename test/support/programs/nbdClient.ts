import { connect, type Socket } from 'node:net'

/**
 * A client of QEMU's NBD server, as far as a guest needs one that writes and flushes, and is told of each how it ended: the
 * fixed newstyle handshake, `NBD_OPT_GO`, and simple replies (the NBD protocol's proto.md). One request at a time.
 */
export interface NbdClient {
  /** 0 where it is done, else the errno that the server tells; undefined where the server is gone and tells nothing. */
  write(atBytes: number, bytes: Uint8Array): Promise<number | undefined>
  flush(): Promise<number | undefined>
  /** Goes without a word, as a client that was killed. */
  drop(): void
}

const OPTION_MAGIC = 0x49484156454f5054n
const REQUEST_MAGIC = 0x25609513
const REPLY_MAGIC = 0x67446698
const OPT_GO = 7
const REP_ACK = 1
const REP_ERROR = 0x80000000
const WRITE = 1
const FLUSH = 3

export async function openNbdClient(socketPath: string, exportName: string): Promise<NbdClient> {
  const socket = await new Promise<Socket>((resolve, reject) => {
    const opened = connect(socketPath, () => resolve(opened))
    opened.once('error', reject)
  })
  const read = createReader(socket)
  const need = async (length: number) => {
    const bytes = await read(length)
    if (bytes === undefined) throw new Error(`the NBD server of ${socketPath} hung up`)
    return bytes
  }
  // NBDMAGIC, IHAVEOPT, and what it can do.
  await need(18)
  const name = Buffer.from(exportName)
  const hello = Buffer.alloc(4 + 8 + 4 + 4 + 4 + name.length + 2)
  // Fixed newstyle, and no zeros behind the answer.
  hello.writeUInt32BE(3, 0)
  hello.writeBigUInt64BE(OPTION_MAGIC, 4)
  hello.writeUInt32BE(OPT_GO, 12)
  hello.writeUInt32BE(4 + name.length + 2, 16)
  hello.writeUInt32BE(name.length, 20)
  name.copy(hello, 24)
  socket.write(hello)
  for (;;) {
    const head = await need(20)
    const kind = head.readUInt32BE(12)
    const said = await need(head.readUInt32BE(16))
    if (kind >= REP_ERROR) throw new Error(`no export ${exportName} on ${socketPath}: ${said.toString()}`)
    if (kind === REP_ACK) break
  }

  const ask = async (kind: number, atBytes: number, bytes: Uint8Array): Promise<number | undefined> => {
    const request = Buffer.alloc(28)
    request.writeUInt32BE(REQUEST_MAGIC, 0)
    request.writeUInt16BE(kind, 6)
    request.writeBigUInt64BE(BigInt(atBytes), 16)
    request.writeUInt32BE(bytes.byteLength, 24)
    if (socket.destroyed) return undefined
    socket.write(request)
    if (bytes.byteLength > 0) socket.write(bytes)
    const reply = await read(16)
    if (reply === undefined) return undefined
    if (reply.readUInt32BE(0) !== REPLY_MAGIC) throw new Error('the NBD server does not speak in simple replies')
    return reply.readUInt32BE(4)
  }
  return {
    write: (atBytes, bytes) => ask(WRITE, atBytes, bytes),
    flush: () => ask(FLUSH, 0, new Uint8Array()),
    drop: () => void socket.destroy(),
  }
}

/** So many bytes at a time; undefined once the other side has gone. */
function createReader(socket: Socket): (length: number) => Promise<Buffer | undefined> {
  let held = Buffer.alloc(0)
  let over = false
  let wake: (() => void) | undefined
  socket.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    wake?.()
  })
  // Where the server is gone what was asked is not answered, which is no fault of the client's.
  socket.on('error', () => undefined)
  socket.on('close', () => {
    over = true
    wake?.()
  })
  return async (length) => {
    while (held.length < length) {
      if (over) return undefined
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    const bytes = held.subarray(0, length)
    held = held.subarray(length)
    return bytes
  }
}
