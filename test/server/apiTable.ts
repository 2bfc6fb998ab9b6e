import type { Row } from '../../src/server/routes/row.ts'

/** `docs/API.md`: the rows as a table, so that the page cannot say anything else than the server does. */
export function formatApiTable(rows: readonly Row[]): string {
  return `# The HTTP interface

Made from the route table (\`src/server/routes/routes.ts\`); do not edit. ${rows.length} rows, all of the
document's among them.

Every path answers at \`/\`, \`/v1/\`, \`/v2/\`, \`/api/v1/\` and \`/api/v2/\`, with and without the final slash. XML unless
\`?format=json\` or \`Accept: application/json\` asks for JSON; bodies in either. Everything but \`/healthz\` asks for the token:
\`Authorization: Bearer TOKEN\`, or Basic with the token as the password.

\`Prefer: respond-async\` answers a change with 202 and its job at once; \`Prefer: return=representation\` gives a body where 204
has none. Every answer of a change that began carries \`Pengx-Job\`.

| method | path | document | versions | success | does |
|---|---|---|---|---|---|
${rows.map(formatRow).join('\n')}

${formatBodies(rows)}`
}

function formatRow(row: Row): string {
  const paths = [row.path, ...(row.also ?? [])].map((path) => `\`${path}\``).join(' ')
  return `| ${row.method} | ${paths} | ${row.section} | ${row.versions.join(' ')} | ${row.status} | ${formatWork(row)} |`
}

function formatWork({ action }: Row): string {
  switch (action.kind) {
    case 'run':
      return `runs \`${action.operation}\``
    case 'own':
      return action.help
    case 'show':
      return `shows ${action.root === undefined ? '' : `\`<${action.root}>\` of `}\`<${action.shape.name}>\``
  }
}

function formatBodies(rows: readonly Row[]): string {
  const parts: string[] = []
  for (const { method, path, action } of rows) {
    if (action.kind !== 'run' || !action.takes) continue
    const lines = action.takes.fields.map((field) => {
      const { within, name, required, added, list } = field
      const notes = [
        typeof required === 'function' ? 'required in most cases' : required ? 'required' : '',
        list ? '`list-item` elements' : '',
        added ? 'not in the document' : '',
      ].filter((note) => note !== '')
      return `- \`${within === undefined ? name : `${within}.${name}`}\`${notes.length === 0 ? '' : `: ${notes.join(', ')}`}`
    })
    parts.push(`## The body of ${method} ${path}\n\n${lines.join('\n')}\n`)
  }
  return parts.join('\n')
}
