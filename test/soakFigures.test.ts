import { expect, test } from 'bun:test'
import { emptyFigures, formatRun, insertRun, note } from './lab/soak/figures.ts'
import type { BackupFacts, JobFacts } from './lab/soak/store.ts'

const RUN = {
  at: new Date('2026-11-29T18:35:59Z'),
  ...{ version: '0.1.0', commit: 'abc1234', seed: 7, minutes: 40, xen: '4.17.5', qemu: '7.2.22', cores: 2 },
}

const job = (id: string, operation: string, state: string, tookMs = 0): JobFacts => ({
  ...{ id, number: 1, operation, subjectName: 'writer0', state, by: 'cli', step: '', message: '' },
  ...{ createdAt: 0, startedAt: 1_000, finishedAt: 1_000 + tookMs },
})

test('jobs that were cut off are counted by what became of them, and no others count as taken back', () => {
  const figures = emptyFigures()
  const backups = [{ uuid: 'one' }, { uuid: 'two' }] as BackupFacts[]
  note(figures, { jobs: [job('a', 'vm.migrate', 'running')], backups })
  const jobs = [
    job('a', 'vm.migrate', 'done', 30_000),
    job('b', 'vm.migrate', 'done', 61_000),
    job('c', 'vm.migrate', 'undone'),
    job('d', 'backup.create', 'undone'),
  ]
  figures.cut.add('a').add('c')
  note(figures, { jobs, backups: backups.slice(1) })
  const text = formatRun(RUN, figures)
  expect(text).toStartWith('### 2026-11-29 18:35 UTC: passed\n')
  expect(text).toContain('| vm.migrate | 1 | 2 | 1 | 1 | 0 |')
  expect(text).toContain('| backup.create | 0 | 0 | 0 | 0 | 1 |')
  expect(text).toContain('| Migrations not cut off | 1, median 61 s, longest 61 s |')
  expect(text).toContain('| Backups | 2 made, 1 pruned,')
})

test('a failure is told in its heading and by its words, on one line that is not too long', () => {
  const figures = { ...emptyFigures(), failures: [`round 3: it\nis gone ${'x'.repeat(2000)}`] }
  const lines = formatRun(RUN, figures).split('\n')
  expect(lines[0]).toEndWith('FAILED')
  expect(lines.find((line) => line.startsWith('- round 3: it is gone x'))!.length).toBeLessThan(700)
})

test('the newest run stands first on its page, and the others stay', () => {
  const page = insertRun('# The soak\n\nText.\n\n## Runs\n', 'old\n')
  expect(insertRun(page, 'new\n')).toBe('# The soak\n\nText.\n\n## Runs\n\nnew\n\nold\n')
  expect(() => insertRun('# A page\n', 'new\n')).toThrow('the page has no heading ## Runs')
})
