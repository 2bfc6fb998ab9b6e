/** ssh-keygen, base64 and printenv: what spreading keys asks of a PM. */
import { findNode, isFsError, writeText } from '../machine/files.ts'
import { hashText } from '../machine/noise.ts'
import { BYTES_MARK } from '../machine/process.ts'
import type { Program } from '../machine/program.ts'
import { readPath } from './files/read.ts'

export const printenv: Program = (call) => {
  if (call.argv[1] !== 'HOME') return 1
  call.out('/root\n')
  return 0
}

export const base64: Program = (call) => {
  const path = call.argv.findLast((word) => !word.startsWith('-')) ?? ''
  const read = readPath(call, path)
  if ('problem' in read) {
    call.err(`base64: ${path}: ${read.problem}\n`)
    return 1
  }
  const { text } = read
  const encoded = text.startsWith(BYTES_MARK) ? text.slice(BYTES_MARK.length) : Buffer.from(text).toString('base64')
  const lines = encoded.match(/.{1,76}/g)
  if (lines) call.out(`${lines.join('\n')}\n`)
  return 0
}

/** Makes a pair that looks like one; a key that is there is asked about, and nobody answers. */
export const sshKeygen: Program = (call) => {
  const optionOf = (flag: string) => call.argv[call.argv.indexOf(flag) + 1] ?? ''
  const path = optionOf('-f')
  if (findNode(call.pm, path)) {
    call.out(`${path} already exists.\nOverwrite (y/n)? `)
    return 1
  }
  try {
    const body = Buffer.from(`${call.pm.name}${path}${hashText(call.pm.machineId)}`.padEnd(51, '.').slice(0, 51))
    writeText(call.pm, path, `-----BEGIN OPENSSH PRIVATE KEY-----\n${path}\n`, call.now(), 0o600)
    writeText(call.pm, `${path}.pub`, `ssh-ed25519 ${body.toString('base64')} ${optionOf('-C')}\n`, call.now(), 0o644)
  } catch (error) {
    if (!isFsError(error)) throw error
    call.err(`Saving key "${path}" failed: ${error.message}\n`)
    return 1
  }
  call.world.save()
  return 0
}
