// Free ports of this machine's loopback, for the doors of one host. Between the asking and the use another program may
// take one; the boot then fails and is tried again with others.
import { createSocket } from 'node:dgram'
import { type AddressInfo, createServer } from 'node:net'
import type { HostPorts } from './boot.ts'

export async function freePorts(): Promise<HostPorts> {
  return { ssh: await freeTcpPort(), wires: [await freeUdpPort(), await freeUdpPort()] }
}

function freeTcpPort(): Promise<number> {
  return new Promise((done, fail) => {
    const server = createServer().on('error', fail)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => done(port))
    })
  })
}

function freeUdpPort(): Promise<number> {
  return new Promise((done, fail) => {
    const socket = createSocket('udp4').on('error', fail)
    socket.bind(0, '127.0.0.1', () => {
      const { port } = socket.address()
      socket.close(() => done(port))
    })
  })
}
