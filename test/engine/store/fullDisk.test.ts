import { expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canMount, onSmallDisk } from '../../support/mounts.ts'

test.skipIf(!canMount)(
  'with its store on a full disk the server answers, and its jobs go on when there is room',
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'pengx-full-'))
    const elsewhere = mkdtempSync(join(tmpdir(), 'pengx-full-site-'))
    try {
      const child = onSmallDisk(dir, [process.execPath, join(import.meta.dir, 'fullDiskChild.ts'), dir, elsewhere])
      const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()])
      expect(err).toBe('')
      expect(out.trim().split('\n')).toEqual([
        'healthy | 200 ok',
        'full | 503 store: cannot be written since TIME: the disk is full',
        'rows | true',
        'job | running, waits for the store: the disk is full',
        'who waits is told | noSpace',
        'a change | 503 | true',
        'seen | SHUTDOWN',
        'PMs | up',
        'log | written while it is full | written afterwards',
        'afterwards | done | 200 ok',
        'a change | 200',
        'closed',
      ])
      expect(await child.exited).toBe(0)
    } finally {
      for (const path of [dir, elsewhere]) rmSync(path, { recursive: true, force: true })
    }
  },
)
