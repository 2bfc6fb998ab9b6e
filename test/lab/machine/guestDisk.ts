// What a disk holds, as its guest reads it and as dom0 reads its image: the same bytes, whatever was done to it.
import { askGuest } from './console.ts'
import { type LabHost, sh } from './ssh.ts'

/** So much of the beginning of a disk is filled and summed up. */
const HEAD_MIB = 3
const BLOCKS = `bs=64k count=${HEAD_MIB * 16}`
const TIMEOUT_MS = 300_000
/** Of no bytes at all: then something was not read. */
const NOTHING = new Bun.CryptoHasher('sha256').digest('hex')

const summing = (disk: string): string =>
  `echo 3 >/proc/sys/vm/drop_caches; dd if=/dev/${disk} ${BLOCKS} 2>/dev/null | sha256sum`

/** What a guest reads from the beginning of a disk, past its cache. */
export async function sumOf(host: LabHost, guest: string, disk: string): Promise<string> {
  return digest(await askGuest(host, guest, summing(disk), TIMEOUT_MS))
}

/** Fills the beginning of a disk with bytes that nobody can guess; gives their sum. */
export async function fill(host: LabHost, guest: string, disk: string): Promise<string> {
  const filling = `dd if=/dev/urandom of=/dev/${disk} ${BLOCKS} conv=fsync 2>/dev/null || exit`
  return digest(await askGuest(host, guest, `${filling}; ${summing(disk)}`, TIMEOUT_MS))
}

/** What dom0 reads from the beginning of an image, which a guest may have open. */
export async function imageSum(host: LabHost, path: string, format = 'qcow2'): Promise<string> {
  return digest(await readImage(host, path, format, '1M', [0, HEAD_MIB], 'sha256sum'))
}

/** Blocks of 4 KiB of an image. */
export async function imageBytes(
  host: LabHost,
  path: string,
  from: number,
  count: number,
  format = 'qcow2',
): Promise<Buffer> {
  return Buffer.from(await readImage(host, path, format, '4096', [from, from + count], 'base64'), 'base64')
}

/** What a program of dom0 says of a stretch of an image. To qemu-img, `count` is where it ends. */
async function readImage(
  host: LabHost,
  path: string,
  format: string,
  block: string,
  [from, to]: readonly [number, number],
  program: string,
): Promise<string> {
  const copy = `/tmp/read-${crypto.randomUUID()}.raw`
  const read = `qemu-img dd -U -f ${format} -O raw bs=${block} skip=${from} count=${to} if=${path} of=${copy}`
  return await sh(host, `${read} && ${program} <${copy} && rm ${copy}`)
}

function digest(text: string): string {
  const sum = /^[0-9a-f]{64}/.exec(text)?.[0]
  if (sum === undefined || sum === NOTHING) throw new Error(`nothing was read: ${text}`)
  return sum
}

/** Reads the beginnings of disks over and over, as udev's blkid or whoever looks for what lies there might; gives its end. */
export async function peekAt(host: LabHost, disks: readonly { readonly path: string }[]): Promise<() => Promise<void>> {
  const paths = disks.map(({ path }) => path).join(' ')
  const look = `for path in ${paths}; do dd if=$path of=/dev/null bs=1M count=1; done`
  const peeks = `rm -f /tmp/peeked; (until [ -e /tmp/peeked ]; do ${look}; sleep 0.3; done) </dev/null >/dev/null 2>&1 &`
  await sh(host, peeks)
  return async () => void (await sh(host, 'touch /tmp/peeked'))
}
