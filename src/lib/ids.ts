const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** A new random UUID, lower case. */
export function newUuid(): string {
  return crypto.randomUUID()
}

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** A machine-id (machine-id(5): 32 hexadecimal digits) or DMI UUID, written as a UUID. */
export function uuidOfMachineId(id: string): string {
  const hex = id.toLowerCase().replaceAll('-', '')
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

/** The first eight characters: enough for a person to tell two apart on a screen. */
export function shortUuid(uuid: string): string {
  return uuid.slice(0, 8)
}

/** A random MAC in the range that the Xen project owns (00:16:3e, xl-network-configuration(5)). */
export function newXenMac(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(3))
  bytes[0] = bytes[0]! & 0x7f
  return `00:16:3e:${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(':')}`
}

const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789'

/** A random secret of letters and digits; VNC passwords carry 8 at most (RFC 6143 section 7.2.2). */
export function newSecret(length: number): string {
  let secret = ''
  while (secret.length < length) {
    const byte = crypto.getRandomValues(new Uint8Array(1))[0]!
    if (byte < ALPHABET.length * 4) secret += ALPHABET[byte % ALPHABET.length]
  }
  return secret
}

/** A UUID that follows from a text: the same text, the same UUID (RFC 9562 section 5.8, version 8). */
export function uuidOfText(text: string): string {
  const hex = new Bun.CryptoHasher('sha256').update(text).digest('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
