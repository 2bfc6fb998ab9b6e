import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openLocalHost } from '../src/engine/host/local.ts'
import { copyVolume } from '../src/engine/volumes/copy.ts'
import { fileVolumes } from '../src/engine/volumes/file.ts'
import { type Figure, inTurns, median, timed } from './measure.ts'

const SIZE_MIB = 4096
const WRITTEN_MIB = 512
const ROUNDS = 9

/**
 * A disk copied on one PM, beside bare `qemu-img convert` of the same, made durable as a copy that is relied on has to
 * be. An eighth of the disk is written, in stretches with holes between them.
 */
export async function measureCopy(): Promise<Figure[]> {
  const dir = mkdtempSync(join(tmpdir(), 'pengx-bench-copy-'))
  const host = openLocalHost('here')
  try {
    const source = join(dir, 'source.qcow2')
    await need(['qemu-img', 'create', '-q', '-f', 'qcow2', source, `${SIZE_MIB}M`])
    const writes = Array.from({ length: WRITTEN_MIB / 8 }, (_, index) => [
      '-c',
      `write -P ${index + 1} ${index * 64}M 8M`,
    ])
    await need(['qemu-io', '-f', 'qcow2', ...writes.flat(), source])
    const bare = join(dir, 'bare.qcow2')
    const path = join(dir, 'copy.qcow2')
    const { copy, convert } = await inTurns(ROUNDS, {
      copy: async () => {
        const target = { host, driver: fileVolumes, path, format: 'qcow2' as const }
        const options = { tag: 'bench', onProgress: () => undefined }
        const took = await timed(() => copyVolume({ host, path: source, format: 'qcow2' }, target, options))
        rmSync(path)
        return took
      },
      convert: async () => {
        const command = `qemu-img convert -f qcow2 -O qcow2 ${source} ${bare} && sync ${bare}`
        const took = await timed(() => need(['sh', '-c', command]))
        rmSync(bare)
        return took
      },
    })
    const bound = Math.round(Math.max(median(convert) * 1.05, median(convert) + 30))
    const beside = { what: 'qemu-img convert', samples: convert }
    return [{ what: `copy of ${WRITTEN_MIB} MiB of ${SIZE_MIB}`, unit: 'ms', samples: copy, beside, bound }]
  } finally {
    await host.close()
    rmSync(dir, { recursive: true })
  }
}

async function need(argv: readonly string[]): Promise<void> {
  const child = Bun.spawn([...argv], { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' })
  const exit = await child.exited
  if (exit !== 0) throw new Error(`${argv[0]} exited with ${exit}`)
}
