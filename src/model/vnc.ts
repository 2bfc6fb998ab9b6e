import type { Vnc } from './vm.ts'

/** Where a display listens, in words for people: an empty address is every one, to QEMU and to who may reach it. */
export function listenAddress({ listen }: Vnc): string {
  return listen === '' ? '0.0.0.0' : listen
}
