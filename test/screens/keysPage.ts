import { screens } from '../../src/screens/catalog.ts'
import type { KeyRow } from '../../src/screens/screen.ts'
import { MOVING } from '../../src/screens/shell/keyRows.ts'
import { EVERYWHERE } from '../../src/screens/shell/keys.ts'

/** docs/KEYS.md, from the rows themselves. */
export function formatKeys(): string {
  const table = (rows: readonly (readonly [string, string])[]) => [
    '| key | what it does |',
    '|---|---|',
    ...rows.map(([key, text]) => `| \`${key}\` | ${text.replaceAll('|', '\\|')} |`),
  ]
  const described = (rows: readonly KeyRow[]) =>
    rows.map((row): [string, string] => [row.key, row.help ? `${row.title}: ${row.help}` : row.title])
  const places = screens.filter(({ digit }) => digit !== undefined)
  const parts = [
    '# Keys',
    '',
    'Made from the key rows of the screens; `bun run golden` writes it again. `?` shows the same in the program.',
    '',
    '## Everywhere',
    '',
    ...table([...places.map(({ digit, title }): [string, string] => [digit!, title]), ...described(EVERYWHERE)]),
    '',
    '## Moving and marking',
    '',
    ...table(MOVING),
    '',
    '## In dialogs',
    '',
    ...table([
      ['y n', 'allow what disrupts, or not'],
      ['m ctrl-l', 'show the commands of the plan'],
      ['tab', 'next button or field'],
      ['ctrl-s ↵', 'send a form'],
      ['ctrl-p', 'the plan of what a form would do'],
      ['esc', 'leave, and nothing is done'],
    ]),
  ]
  for (const screen of screens) {
    if (screen.keys.length === 0) continue
    parts.push('', `## ${screen.title}`, '', ...table(described(screen.keys)))
  }
  return `${parts.join('\n')}\n`
}
