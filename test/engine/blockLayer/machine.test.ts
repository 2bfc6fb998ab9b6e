import { rmSync } from 'node:fs'
import { run } from '../../../src/engine/host/run.ts'
import { withQmp } from '../../../src/engine/tools/qmp.ts'
import { blockMachineSuite } from '../../contract/blockLayerMachine.ts'
import { openRealQemu } from '../../support/programs/realQemu.ts'
import { imageAt } from './bench.ts'
import { IMAGES } from './daemonSite.ts'

blockMachineSuite({
  name: 'a real QEMU',
  async open() {
    const qemu = await openRealQemu(async (dir, host) => {
      await run(host, { argv: ['sh', '-c', IMAGES, 'images', dir], effect: 'change' })
      return [
        { vdev: 'xvda', ...imageAt(dir, 'a') },
        { vdev: 'xvdb', ...imageAt(dir, 'b') },
      ]
    })
    return {
      host: qemu.host,
      place: (image) => imageAt(qemu.dir, image).path,
      async ask(work) {
        const socket = await qemu.host.connect(`/var/run/xen/qmp-libxl-${qemu.domid}`, 'change')
        return await withQmp(socket, { peer: 'qemu', timeoutMs: 20_000 }, work)
      },
      fill: (image) => qemu.failing(imageAt(qemu.dir, image).path, { errno: 'ENOSPC', afterWrites: 0 }),
      pause: () => Bun.sleep(20),
      async close() {
        await qemu.close()
        rmSync(qemu.dir, { recursive: true, force: true })
      },
    }
  },
})
