// A domain of which there is no file: what the real xl reads in a text, and in what pengx writes of that reading alone.
// `xl -N create` parses, builds nothing, and prints what it understood. PENGX_GOLDEN=write keeps what it says.
import { expect, test } from 'bun:test'
import { writeFileSync } from 'node:fs'
import { differences, RECORDED, type RoundTrip, readTree, recorded, write } from '../../support/xl/roundTrip.ts'
import { TEXTS } from '../../support/xl/texts.ts'
import { labHost, run } from '../machine/ssh.ts'

const host = labHost()

type Tree = RoundTrip['read']

/** Each by a file of its own; one after the other, in one round trip. */
const ASK = `set -e
dir=$(mktemp -d /tmp/pengx-xl-json.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >all
csplit -s -z -n 3 -f text. all '/^########$/' '{*}'
for file in text.*; do
  sed 1d "$file" >text
  xl -N create text || echo '{"failed": true}'
  echo '########'
done`

async function ask(texts: readonly string[]): Promise<Tree[]> {
  const stdin = texts.map((text) => `########\n${text}`).join('')
  const { exit, stdout } = await run(host, ['sh', '-c', ASK], { stdin, timeoutMs: 600_000 })
  expect(exit).toBe(0)
  const parts = stdout.split('########\n').slice(0, -1)
  return parts.map((part) => JSON.parse(part) as Tree)
}

/** Made anew by each `xl create`. */
const settled = (tree: Tree) => JSON.parse(JSON.stringify(tree).replace(/"ms_vm_genid":\[[^\]]*\]/, '"ms_vm_genid":[]'))

test('what is read of a domain is written as it was, but for what is said to be lost', async () => {
  const names = Object.keys(TEXTS)
  const read = await ask(Object.values(TEXTS))
  expect(names.filter((_, index) => read[index]?.failed)).toEqual([])
  const found = read.map(readTree)
  const written = found.map(write)
  const again = await ask(written)
  expect(names.filter((_, index) => again[index]?.failed)).toEqual([])
  const trips = names.map((name, index) => ({
    name,
    read: read[index]!,
    written: written[index]!,
    again: again[index]!,
  }))
  if (process.env.PENGX_GOLDEN === 'write')
    writeFileSync(RECORDED, `${trips.map((trip) => JSON.stringify(trip)).join('\n')}\n`)
  const before = recorded()
  for (const [index, trip] of trips.entries()) {
    // test/engine/tools/xlRoundTrip.test.ts says of these what they have to be
    expect([trip.name, settled(trip.read), trip.written]).toEqual([
      before[index]!.name,
      settled(before[index]!.read),
      before[index]!.written,
    ])
    expect([trip.name, settled(trip.again)]).toEqual([trip.name, settled(before[index]!.again)])
    const lost = found[index]!.lost.map(({ key }) => key)
    expect([trip.name, differences(trip, lost)]).toEqual([trip.name, differences(before[index]!, lost)])
  }
}, 900_000)
