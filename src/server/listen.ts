import { lstatSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { PengxError } from '../model/error.ts'

/** Where to listen: `HOST:PORT`, `[IPv6]:PORT`, `:PORT` or `PORT` on the loopback, or `unix:PATH`. */
export type Place =
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number }
  | { readonly kind: 'unix'; readonly path: string }

const LOOPBACK = '127.0.0.1'

export function parseListen(text: string): Place {
  if (text.startsWith('unix:')) {
    const path = text.slice(5)
    // sun_path of unix(7) has 108 bytes, the last of them zero.
    if (path === '' || Buffer.byteLength(path) > 107) {
      throw new PengxError('invalid', `cannot listen on "${text}": a socket's path has 1 to 107 bytes`)
    }
    return { kind: 'unix', path }
  }
  const [, bracketed, plain, port] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^[\]:]*)):)?(\d{1,5})$/.exec(text) ?? []
  if (port === undefined || Number(port) > 65_535) {
    throw new PengxError('invalid', `cannot listen on "${text}": HOST:PORT, [IPv6]:PORT or unix:PATH is expected`)
  }
  return { kind: 'tcp', host: (bracketed ?? plain) || LOOPBACK, port: Number(port) }
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
}

/** Without a token only those who are on this machine may be able to ask. */
export function refuseNoAuth(place: Place): string | undefined {
  if (place.kind === 'unix' || isLoopback(place.host)) return undefined
  return `--no-auth on ${place.host} would let everybody in: listen on 127.0.0.1 or unix:PATH, or leave --no-auth out`
}

/** Removes a socket that a server left behind; fails where somebody answers on it or it is something else. */
export async function clearSocket(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (!there) return
  if (!there.isSocket()) throw new PengxError('conflict', `cannot listen on ${path}: it is there and is no socket`)
  if (await answers(path)) throw new PengxError('conflict', `cannot listen on ${path}: somebody is listening there`)
  rmSync(path, { force: true })
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    // Anything but "nobody listens" may be somebody: only a refused connection proves that the socket is stale.
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'))
  })
}
