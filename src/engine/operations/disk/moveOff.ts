import { PengxError } from '../../../model/error.ts'
import type { Vm } from '../../../model/vm.ts'
import type { Step } from '../../jobs/operation.ts'
import { madeVolume } from '../storlink/madeVolume.ts'
import { needNoDomain } from '../vm/domain.ts'
import type { Move } from './moved.ts'

/** The disks of a VM that is shut down are copied by qemu-img, and read back. */
type Ref = Pick<Vm, 'uuid' | 'pm' | 'name'>

export function copyStep({ vdev, sizeMib, from, to }: Move, vm: Ref): Step {
  return {
    name: `copy ${vdev}`,
    weight: 20,
    shows: [`qemu-img convert -O ${to.format} ${from.path} ${to.path}`],
    async do(cx) {
      await needNoDomain(cx, cx.view.needVm(vm.uuid))
      const say = (done: number) => cx.progress(done, `${Math.floor(done * sizeMib)} of ${sizeMib} MiB`)
      await cx.volumes(to.level).importImage(cx.host(vm.pm), from, to, cx.tag, say, cx.signal)
      return null
    },
    ...madeVolume(vm.pm, { ...to, sizeMib }, vm),
  }
}

/** Both are read, and the VM is off still. */
export function readBackStep({ vdev, from, to }: Move, vm: Ref): Step {
  return {
    name: `read ${vdev} back`,
    weight: 10,
    onlyReads: true,
    shows: [`qemu-img compare ${from.path} ${to.path}`],
    async do(cx) {
      const host = cx.host(vm.pm)
      const isSame = await cx.volumes(to.level).compare(host, from, to, (done) => cx.progress(done), cx.signal)
      if (!isSame)
        throw new PengxError(
          'commandFailed',
          `${to.path} does not hold what ${from.path} holds: ${vdev} stays where it is`,
        )
      await needNoDomain(cx, cx.view.needVm(vm.uuid))
      return null
    },
  }
}
