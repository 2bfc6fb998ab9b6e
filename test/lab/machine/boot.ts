// One lab host is one QEMU that emulates the processor too (TCG): Xen does not start on every KVM that a test machine
// offers, and pure emulation is the same everywhere. Started detached, found again by its pid file.
import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { need, say } from './command.ts'
import type { Root } from './root.ts'

export interface HostPorts {
  readonly ssh: number
  /** Own UDP ports of the two wires that join this host to the other. */
  readonly wires: readonly [number, number]
}

/** What it takes to start a host, now or again after it was switched off. */
export interface Machine {
  readonly name: string
  readonly number: number
  readonly dir: string
  readonly memoryMib: number
  readonly cpus: number
  readonly ports: HostPorts
  /** Ports of the host at the other end of the wires. */
  readonly peer: HostPorts
  readonly qmp: string
  readonly root: Root
  /** The hypervisor; none: a plain Linux host with what a dom0 has for storage. */
  readonly xen?: string
  readonly initrd: string
  /** A raw image that all hosts of the run see as one LUN. */
  readonly sharedDisk: string
}

/** Xen's own command line. */
const xenWords = (cpus: number): string[] => [
  'console=com1 com1=115200,8n1',
  'dom0_mem=1024M,max:1024M',
  // of two on one processor each spins for a slice of the other's when code is patched: 10 s a module of some size
  `dom0_max_vcpus=${cpus}`,
  'sched=credit2',
  'cpuidle=0', // with `-monitor` below: else Xen panics in mwait_idle_with_hints
  'bootscrub=0', // else every page is touched at boot and this process grows to all of its memory
  'spec-ctrl=no', // nothing to defend here, and it costs
]

/** Linux's command line, whether it is dom0's or the machine's. */
const LINUX = [
  'net.ifnames=0 quiet loglevel=4 panic=0 random.trust_cpu=on',
  'mitigations=off', // as for Xen
  // QEMU keeps what it has translated by the addresses that it runs at: a program at new ones is translated anew at each
  // start, which made a process five times as dear (40 ms, and not 8)
  'norandmaps',
]

/** Features taken from the emulated processor, each with what happens otherwise. */
const CPU = [
  'EPYC,+svm,+npt', // HVM and PVH guests
  '-smap', // dom0 dies at its first instructions (a defect of QEMU 7.2's emulation)
  '-monitor', // Xen panics in mwait_idle_with_hints
  '-rdtscp', // PVH and HVM guests die: `SVM Insn len emulation failed`
  '-avx,-avx2,-fma,-f16c,-xsave,-xsaveopt,-xgetbv1', // random SIGSEGV of programs in dom0 while a guest is busy
]

function qemuArguments(machine: Machine): string[] {
  const { dir, ports, peer } = machine
  const mac = (card: number) => `52:54:00:4c:${machine.number.toString(16).padStart(2, '0')}:0${card}`
  // Same wwn on every host: a LUN of a SAN. Its image is opened by several QEMUs through one page cache, so no locking; and
  // that cache outlives a killed QEMU, so that nobody waits for this machine's disk.
  const lun = (id: string, wwn: number, file: string, shared: boolean) => [
    ['-drive', `if=none,id=${id},format=raw,file=${file},cache=unsafe${shared ? ',file.locking=off' : ''}`],
    ['-device', `scsi-hd,drive=${id},serial=lab-${id},wwn=0x5000c50000000${wwn}${shared ? ',share-rw=on' : ''}`],
  ]
  const wire = (index: 0 | 1) => [
    // datagrams: either end may come and go, a stream would have to be connected again
    ['-netdev', `socket,id=wire${index},udp=127.0.0.1:${peer.wires[index]},localaddr=127.0.0.1:${ports.wires[index]}`],
    ['-device', `virtio-net-pci,netdev=wire${index},mac=${mac(index + 1)},romfile=`],
  ]
  return [
    ['-name', `pengx-lab-${machine.name}`],
    ['-nodefaults', '-no-user-config', '-display', 'none'],
    ['-M', 'q35', '-accel', 'tcg,thread=multi,tb-size=512', '-cpu', CPU.join(',')],
    ['-smp', String(machine.cpus), '-m', String(machine.memoryMib)],
    ...kernelArguments(machine),
    // the overlay dies with the run, so nobody waits for a disk here; a killed QEMU loses nothing that it was given
    ['-drive', `if=none,id=root,format=qcow2,file=${join(dir, 'root.qcow2')},cache=unsafe,discard=unmap`],
    ['-device', 'virtio-blk-pci,drive=root'],
    ['-drive', `if=none,id=seed,format=raw,file=${join(dir, 'seed.tar')},readonly=on`],
    ['-device', 'virtio-blk-pci,drive=seed'],
    ['-device', 'virtio-scsi-pci'],
    ...lun('own', 100 + machine.number, join(dir, 'own.img'), false),
    ...lun('shared', 100, machine.sharedDisk, true),
    ['-netdev', `user,id=out,hostfwd=tcp:127.0.0.1:${ports.ssh}-:22`],
    ['-device', `virtio-net-pci,netdev=out,mac=${mac(0)},romfile=`],
    ...wire(0),
    ...wire(1),
    ['-device', 'virtio-rng-pci'], // sshd waits for entropy otherwise
    ['-serial', `file:${serialLog(machine)}`],
    ['-qmp', `unix:${machine.qmp},server=on,wait=off`],
    ['-daemonize', '-pidfile', pidFile(machine)],
  ].flat()
}

function kernelArguments({ xen, root, initrd, cpus }: Machine): string[][] {
  const linux = join(root.tree, 'boot', `vmlinuz-${root.kernelRelease}`)
  if (xen === undefined) {
    return [
      ['-kernel', linux, '-append', `console=ttyS0 ${LINUX.join(' ')}`],
      ['-initrd', initrd],
    ]
  }
  return [
    ['-kernel', xen, '-append', xenWords(cpus).join(' ')],
    // Multiboot modules: dom0's kernel with its command line, then its initramfs; a comma separates them
    ['-initrd', `${linux} console=hvc0 ${LINUX.join(' ')},${initrd}`],
  ]
}

const serialLog = (machine: Pick<Machine, 'dir'>): string => join(machine.dir, 'serial.log')
const pidFile = (machine: Pick<Machine, 'dir'>): string => join(machine.dir, 'qemu.pid')

/** The pid of a host's QEMU, if it runs. A recycled number is told by its command line, which names our directory. */
export function runningPid(machine: Pick<Machine, 'dir'>): number | undefined {
  if (!existsSync(pidFile(machine))) return undefined
  const pid = Number(readFileSync(pidFile(machine), 'utf8').trim())
  try {
    const ours = readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(pidFile(machine))
    return pid > 1 && ours && readlinkSync(`/proc/${pid}/exe`).includes('qemu-system') ? pid : undefined
  } catch {
    return undefined
  }
}

/** Switches a host on. */
export async function startHost(machine: Machine): Promise<void> {
  if (runningPid(machine)) return
  await rm(machine.qmp, { force: true })
  await rm(serialLog(machine), { force: true })
  // libxl gives its hotplug scripts 40 s, which an emulated host beside other work can miss: so it goes first, where
  // that is allowed (nice starts the program all the same where it is not)
  await need(['nice', '-n', '-5', 'qemu-system-x86_64', ...qemuArguments(machine)], { timeoutMs: 60_000 })
}

/** Switches a host off as a power cut does: nothing in it is told. */
export async function stopHost(machine: Pick<Machine, 'dir' | 'name'>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    for (let tries = 0; tries < 50; tries++) {
      const pid = runningPid(machine)
      if (!pid) return
      if (tries === 0) process.kill(pid, signal)
      await Bun.sleep(100)
    }
  }
  throw new Error(`the QEMU of ${machine.name} does not end`)
}

/** Waits until a host says on its serial line that it is ready: of a Xen host, that xl answers. */
export async function waitBooted(machine: Machine, timeoutMs = 600_000): Promise<void> {
  const end = Date.now() + timeoutMs
  for (;;) {
    const log = await Bun.file(serialLog(machine))
      .text()
      .catch(() => '')
    if (/LAB READY/.test(log)) return
    const bad = /^.*(LAB FAILED|Kernel panic|Panic on CPU|FATAL).*$/m.exec(log)?.[0]
    const reason = bad ?? (runningPid(machine) ? undefined : 'its QEMU ended')
    if (reason) throw new Error(`${machine.name} does not boot: ${reason.trim()} (see ${serialLog(machine)})`)
    if (Date.now() > end) {
      say(log.split('\n').slice(-20).join('\n'))
      throw new Error(`${machine.name} does not boot in ${timeoutMs / 1000} s (see ${serialLog(machine)})`)
    }
    await Bun.sleep(200)
  }
}
