/**
 * A controller is one running pengx: the terminal interface, the server, one command. Jobs and locks carry the one
 * that owns them, so that those of a dead one can be taken over and those of a living one never are.
 */
export interface Controller {
  readonly id: string
  /** `/proc/sys/kernel/random/boot_id` of the machine it ran on. */
  readonly machineBootId: string
  readonly pid: number
  /** Field 22 of `/proc/PID/stat`: tells a process from a later one that was given the same number. */
  readonly startTicks: number
  /** The PID namespace in which `pid` means something: `pid:[4026531836]`; empty where there is none. */
  readonly pidNamespace: string
  readonly startedAt: number
}
