import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { parseStatements, quoteString } from '../../../src/engine/tools/xl/syntax.ts'

const values = (text: string) => parseStatements(text).map(({ key, op, value }) => [key, op, value])

test('strings, numbers, lists, comments, semicolons, additions', () => {
  const text = `# a guest
name = "a b"; memory=512   # MiB
extra = 'console=hvc0 "x"'
disk = [
   "phy:/dev/a,xvda,w",   # the first
   'file:/b,xvdb,r',
]
vif=[]
cpus = [ "1", [ 2, 0x10 ] ]
on_crash = "preserve"
extra += " quiet"
`
  expect(values(text)).toEqual([
    ['name', '=', 'a b'],
    ['memory', '=', '512'],
    ['extra', '=', 'console=hvc0 "x"'],
    ['disk', '=', ['phy:/dev/a,xvda,w', 'file:/b,xvdb,r']],
    ['vif', '=', []],
    ['cpus', '=', ['1', ['2', '0x10']]],
    ['on_crash', '=', 'preserve'],
    ['extra', '+=', ' quiet'],
  ])
})

test('each statement keeps its own text: comments above and behind, line ends within', () => {
  const text = `name = 'x'
# sound
# for the office
soundhw = "hda"  # intel
acpi=1;apic=1
usbdevice = [
  "tablet",
]`
  expect(parseStatements(text).map((statement) => statement.text)).toEqual([
    "name = 'x'",
    '# sound\n# for the office\nsoundhw = "hda"  # intel',
    'acpi=1',
    'apic=1',
    'usbdevice = [\n  "tablet",\n]',
  ])
  expect(parseStatements(text).map((statement) => statement.line)).toEqual([1, 4, 5, 5, 6])
})

test('escapes', () => {
  expect(values(String.raw`a = "q\"q\\\n\t'" ; b = 'it\'s'`)).toEqual([
    ['a', '=', `q"q\\\n\t'`],
    ['b', '=', "it's"],
  ])
})

test('what xl does not take is refused with its line, and without its text', () => {
  const wrong = [
    'name = "a\nmemory = 1\n',
    '\nmemory = oops\n',
    'a = [ "b" "c" ]\n',
    'a = [ "b"\n',
    'a "b"\n',
    'a = 1 2\n',
    'Name = "x"\n',
    'a = -1\n',
    'import os\n',
    'a = "\\x41"\n',
    'name = "a"\r\n',
  ]
  for (const text of wrong) expect(() => parseStatements(text, '/x.cfg')).toThrow(/^\/x\.cfg:\d+: /)
  expect(() => parseStatements('a = 1\nvncpasswd = "hunter2\n', '/x.cfg')).toThrow(/^\/x\.cfg:2: ((?!hunter2).)*$/)
})

test('any text survives quoting', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (one, other) => {
      const text = `a = ${quoteString(one)}\nb = [ ${quoteString(other)}, ${quoteString(one)} ]\n`
      expect(values(text)).toEqual([
        ['a', '=', one],
        ['b', '=', [other, one]],
      ])
    }),
  )
})

test('a statement knows the places of its value, of items and of the commas behind them', () => {
  const text = `a=1;disk = [ 'x', # one, two
  "y\\"", [ 2 ,], ] # end\n`
  const [a, list] = parseStatements(text)
  const cut = ({ at, end }: { at: number; end: number }) => text.slice(at, end)
  expect([cut(a!), a!.node]).toEqual(['a=1', { kind: 'number', at: 2, end: 3, text: '1' }])
  expect(cut(list!)).toBe(text.slice(4, -' # end\n'.length))
  const { node } = list!
  if (node.kind !== 'list') throw new Error('it is a list')
  expect(cut(node)).toBe(text.slice(text.indexOf('['), text.lastIndexOf(']') + 1))
  expect(node.items.map(cut)).toEqual(["'x'", '"y\\""', '[ 2 ,]'])
  expect(node.items.map(({ kind }) => kind)).toEqual(['string', 'string', 'list'])
  expect(node.items[0]).toMatchObject({ text: 'x', quote: "'" })
  expect(node.items[1]).toMatchObject({ text: 'y"', quote: '"' })
  expect(node.commas.map((at) => text.slice(at - 1, at + 2))).toEqual(["', ", '", ', '], '])
})
