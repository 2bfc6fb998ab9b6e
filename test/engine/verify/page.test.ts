import { expect, test } from 'bun:test'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { CODES } from '../../../src/engine/verify/codes.ts'
import type { FindingCode } from '../../../src/model/finding.ts'

/** `docs/verify.md`: the table of codes as a page, so that it cannot say anything else. PENGX_GOLDEN=write writes it anew. */
const PAGE = join(import.meta.dir, '../../../docs/verify.md')

const HEAD = `# What \`pengx verify\` finds

Made from the table of codes (\`src/engine/verify/codes.ts\`); do not edit.

\`pengx verify\` looks at all PMs and compares what is written down with what is there: images and their headers, the
configurations on the PMs, what domains write to, markers and claims. It changes nothing and takes no locks, and leaves out what a
running job is at work on. It exits with 0 where all is as it is written down, and with 1 where something is found. Names, UUIDs,
paths and codes behind it are what is asked about alone; \`--deep\` has \`qemu-img check\` read images that no guest can have open;
\`--json\` is for scripts. The same is on the screen Verify of the terminal interface, and at \`GET /verify/\`.

A finding has a code. \`danger\`: bytes are lost, or will be, if nothing is done. \`wrong\`: something will be refused or fail.
\`note\`: worth knowing. Nothing is ever repaired by itself: where a repair is safe to offer, it is an operation like any other, with
its plan, its question and its journal, and \`pengx verify\` prints the line that runs it.

\`pengx gc\` shows everything that lies in the storlinks and why it stays. What may go is what a job of this store has set out to
make and has not come to: what is written down, lies under an image, is written to, is named by a configuration, is in the hands of a
job, or has been made by anybody else stays, and so does all that a PM may use which does not answer. \`pengx gc --yes\` takes away
what may go (\`storlink.clean\`), after it has judged it anew.
`

function section(row: FindingCode): string {
  const repair =
    row.repair === undefined ? 'None that is safe to offer.' : `\`${row.repair}\`, where the finding proposes it.`
  return `\n## ${row.code}\n\n${row.severity}: ${row.means}\n\nWhat to do: ${row.help}\n\nRepair: ${repair}\n`
}

test('docs/verify.md says what the table of codes says', () => {
  const page = `${HEAD}${CODES.map(section).join('')}`
  if (process.env.PENGX_GOLDEN === 'write') writeFileSync(PAGE, page)
  expect(readFileSync(PAGE, 'utf8')).toBe(page)
})
