/** Which programs a simulated PM has. */
import { createHash } from 'node:crypto'
import type { Call, Program } from '../machine/program.ts'
import type { Domain } from '../machine/state.ts'
import { claim } from './files/claim.ts'
import { cp, dd, install, ln, mv } from './files/copy.ts'
import { df, find } from './files/find.ts'
import { cat, cmp, grep, head, readlink, readPath, tail } from './files/read.ts'
import { ls, stat, test } from './files/stat.ts'
import { stretch, stretchDigest } from './files/stretch.ts'
import { tar } from './files/tar.ts'
import { chmod, fallocate, mkdir, rm, rmdir, tee, touch, truncate } from './files/write.ts'
import { base64, printenv, sshKeygen } from './keys.ts'
import { blkdiscard, lvchange, lvcreate, lvextend, lvreduce, lvremove, lvrename } from './lvm.ts'
import { lvs, vgs } from './lvmReport.ts'
import { ip } from './network.ts'
import { qemuImg } from './qemuImg/qemuImg.ts'
import { lease, sanlock } from './sanlock.ts'
import { ssh } from './ssh.ts'
import { echo, flock, hostname, no, printf, ps, quiet, uname } from './system.ts'
import { loginShell } from './terminal.ts'
import { pvscan, vgchange } from './vgchange.ts'
import { volumeUse } from './volumeUse.ts'
import { xenstoreExists, xenstoreLs, xenstoreRead, xenstoreWrite } from './xenstore.ts'
import { xentop } from './xentop.ts'
import { formatConfig } from './xl/json.ts'
import { xl } from './xl/xl.ts'

const shell: Program = (call) => {
  if (call.pty) return loginShell(call)
  if (call.argv[3] === 'pengx-digest') return digest(call)
  if (call.argv[3] === 'pengx-window') return stretch(call)
  if (call.argv[3] === 'pengx-stretch-digest') return stretchDigest(call)
  if (call.argv[3] === 'pengx-lacking') return lacking(call)
  if (call.argv[3] === 'pengx-holds') return holds(call)
  if (call.argv[3] === 'pengx-claim') return claim(call)
  // as on a host without Ceph
  if (call.argv[3] === 'pengx-rbd-claim') return 127
  if (call.argv[3] === 'pengx-lease') return lease(call)
  if (call.argv[3] === 'pengx-kept') return kept(call)
  if (call.argv[3] === 'pengx-keep') return keep(call)
  if (call.argv[3] === 'pengx-volume-use') return volumeUse(call)
  call.err('sh: scripts are not simulated\n')
  return 2
}

/** What an image would lose with those below it (tools/qemuImg.ts): what QEMU has copied and not written down, too. */
const lacking: Program = (call) => {
  const path = call.argv[4] ?? ''
  const isWritten = (domain: Domain) => domain.blockJobs?.some((job) => job.target === path && job.flushed)
  const isLacking = !call.pm.domains.some(isWritten)
  call.out(isLacking ? '{ "start": 0, "length": 65536, "depth": 1, "zero": false, "data": true },\n' : 'exit 0\n')
  return 0
}

/** The digest of a stretch of a file (volumes/copy.ts). */
const digest: Program = (call) => {
  const [path = '', skip, count] = call.argv.slice(4)
  const read = readPath(call, path)
  if ('problem' in read) call.err(`dd: failed to open '${path}': ${read.problem}\n`)
  const text = 'text' in read ? read.text.slice(Number(skip), Number(skip) + Number(count)) : ''
  call.out(`${createHash('sha256').update(text).digest('hex')}  -\n`)
  return 0
}

/** The domain of whose configuration that is libxl's file. */
function keptOf(call: Call): Domain | undefined {
  const [, domid, uuid] = /userdata-d\.(\d+)\.([0-9a-f-]{36})\.libxl-json$/.exec(call.argv[4] ?? '') ?? []
  return call.pm.domains.find((domain) => String(domain.domid) === domid && domain.uuid === uuid)
}

/** What libxl keeps of a domain (tools/xl/kept.ts). */
const kept: Program = (call) => {
  const domain = keptOf(call)
  if (!domain) {
    call.err(`base64: ${call.argv[4]}: No such file or directory\n`)
    return 1
  }
  call.out(`${Buffer.from(`${formatConfig(domain)}\0`, 'utf8').toString('base64')}\n`)
  return 0
}

/** Of what is written there the disks count. */
const keep: Program = async (call) => {
  const { disks = [] } = JSON.parse((await call.stdin()).replace(/\0$/, '')) as {
    disks?: { vdev: string; pdev_path: string; format: string }[]
  }
  for (const { vdev, pdev_path: path, format } of disks) {
    const disk = keptOf(call)?.config.disks.find((one) => one.vdev === vdev && one.path !== path)
    if (disk && path !== undefined) disk.kept = { path, format }
    const back = keptOf(call)?.config.disks.find((one) => one.vdev === vdev && one.path === path)
    if (back) delete back.kept
  }
  call.world.save()
  return 0
}

/** Whether a file holds bytes of that digest (tools/files.ts). */
const holds: Program = (call) => {
  const [path = '', sha256] = call.argv.slice(4)
  const read = readPath(call, path)
  if ('problem' in read) call.err(`sh: 1: cannot open ${path}: ${read.problem}\n`)
  return 'text' in read && createHash('sha256').update(read.text).digest('hex') === sha256 ? 0 : 1
}

/** A program of that name is there. */
export function hasProgram(name: string): boolean {
  return Object.hasOwn(PROGRAMS, name.split('/').at(-1)!)
}

/**
 * By their names.
 *
 * @internal Exported for the test that asks of each whether it is compared with the real one.
 */
export const PROGRAMS: Readonly<Record<string, Program>> = {
  xl,
  xentop,
  'xenstore-read': xenstoreRead,
  'xenstore-ls': xenstoreLs,
  'xenstore-exists': xenstoreExists,
  'xenstore-write': xenstoreWrite,
  'qemu-img': qemuImg,
  cat,
  grep,
  head,
  tail,
  ls,
  find,
  stat,
  cmp,
  test,
  df,
  readlink,
  tee,
  cp,
  dd,
  mv,
  rm,
  mkdir,
  rmdir,
  ln,
  install,
  chmod,
  touch,
  truncate,
  tar,
  fallocate,
  chown: quiet,
  sync: quiet,
  true: quiet,
  false: no,
  hostname,
  printenv,
  base64,
  ssh,
  'ssh-keygen': sshKeygen,
  uname,
  echo,
  printf,
  pgrep: no,
  ps,
  lvs,
  vgs,
  lvcreate,
  lvremove,
  lvextend,
  lvreduce,
  lvrename,
  lvchange,
  vgchange,
  pvscan,
  blkdiscard,
  sanlock,
  ip,
  flock,
  sh: shell,
}

/** Runs a program by its name; one that is not there is what a shell says of it. */
export async function runProgram(call: Call): Promise<number> {
  const name = call.argv[0]!.split('/').at(-1)!
  const program = Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name] : undefined
  if (program === undefined) {
    call.err(`sh: 1: ${call.argv[0]}: not found\n`)
    return 127
  }
  return await program(call)
}
