import { expect, test } from 'bun:test'
import { openEditor } from '../../../src/engine/tools/xl/editor.ts'
import type { PengxError } from '../../../src/model/error.ts'

/** What the text becomes. */
function edit(text: string, change: (editor: ReturnType<typeof openEditor>) => void): string {
  const editor = openEditor(text, '/etc/xen/a.cfg')
  change(editor)
  return editor.text
}

function refusalOf(change: () => void): PengxError | undefined {
  try {
    change()
    return undefined
  } catch (error) {
    return error as PengxError
  }
}

test('a value changes in its own place and its own quotes', () => {
  const text = `# a guest
name = 'it\\'s' ; memory=512   # MiB
maxmem = "1024"\t
extra = "console=hvc0 \\"x\\""`
  expect(edit(text, (editor) => editor.setValue('memory', 2048))).toBe(text.replace('512', '2048'))
  expect(edit(text, (editor) => editor.setValue('maxmem', 2048))).toBe(text.replace('1024', '2048'))
  expect(edit(text, (editor) => editor.setValue('memory', -1))).toBe(text.replace('512', '"-1"'))
  expect(edit(text, (editor) => editor.setValue('name', `"that's" \\`))).toBe(text.replace("it\\'s", `"that\\'s" \\\\`))
  expect(edit(text, (editor) => editor.setValue('extra', 'a "b"\n'))).toBe(
    text.replace('console=hvc0 \\"x\\"', 'a \\"b\\"\\n'),
  )
})

test('a value that is the same is not written anew', () => {
  const text = `name = "a\\'b"\nmemory = "0512"\ndisk = [ "a\tb" ]\n`
  const same = edit(text, (editor) => {
    editor.setValue('name', "a'b")
    editor.setValue('memory', '0512')
    editor.replaceItem('disk', 0, 'a\tb')
  })
  expect(same).toBe(text)
})

test('a key that is absent gets a line at the end, and leaves with it', () => {
  for (const text of ['', 'name = "a"\n', 'name = "a"', 'name="a" ; ', '# x\n\n']) {
    const end = text === '' || text.endsWith('\n') ? ['', '\n'] : ['\n', '']
    const editor = openEditor(text, 'a.cfg')
    editor.setValue('uuid', 'x"y')
    expect(editor.text).toBe(`${text}${end[0]}uuid = "x\\"y"${end[1]}`)
    editor.insertItem('vif', 'mac=1')
    expect(editor.text).toBe(`${text}${end[0]}uuid = "x\\"y"${end[1] || '\n'}vif = [ "mac=1" ]${end[1]}`)
    expect(() => editor.removeValue('uuid')).toThrow(/uuid is not what pengx has added/)
    editor.removeItem('vif', 0)
    editor.removeValue('uuid')
    expect(editor.text).toBe(text)
  }
  const owners = 'vif = [ "mac=1" ]\nname = "a"\nmemory =  5\n'
  expect(edit(owners, (editor) => editor.removeItem('vif', 0))).toBe(owners.replace('"mac=1" ', ''))
  expect(() => edit(owners, (editor) => editor.removeValue('memory'))).toThrow(/memory is not what/)
  expect(() => edit(owners, (editor) => editor.removeValue('boot'))).toThrow(/boot is not what/)
})

/** Before, after; what is put in is `n`. */
const PUT: [string, string][] = [
  ['[]', '["n"]'],
  ['[ ]', '[ "n" ]'],
  ['[\n]', '[\n  "n"\n]'],
  ['[ # none\n  ]', '[ # none\n    "n"\n  ]'],
  ['["a"]', '["a", "n"]'],
  ["[ 'a' ]", "[ 'a', 'n' ]"],
  ["['a','b']", "['a','b','n']"],
  ['["a", ]', '["a", "n", ]'],
  ['[ "a",\n         "b" ]', '[ "a",\n         "b",\n         "n" ]'],
  ['[\n\t"a",\n\t"b",\n]', '[\n\t"a",\n\t"b",\n\t"n",\n]'],
  ['[\n  "a",\n  "b"\n]', '[\n  "a",\n  "b",\n  "n"\n]'],
  ['[\n  "a"\n  # "old"\n]', '[\n  "a",\n  "n"\n  # "old"\n]'],
  ['[\n  "a", # root\n  "b"  # data\n]', '[\n  "a", # root\n  "b",  # data\n  "n"\n]'],
  ['[\n  "a", # root\n]', '[\n  "a", # root\n  "n",\n]'],
  ['[ "a" # root\n]', '[ "a", # root\n       "n"\n]'],
  ['[ "a"\n    , "b"\n    ]', '[ "a"\n    , "b"\n    , "n"\n    ]'],
  ['[ 1, 2 ]', '[ 1, 2, "n" ]'],
]

test('an item goes behind the last one as that is written, and out again without a trace', () => {
  for (const [before, after] of PUT) {
    const text = `name = "a"\ndisk=${before} ; memory = 5`
    const editor = openEditor(text, 'a.cfg')
    editor.insertItem('disk', 'n')
    expect(editor.text).toBe(`name = "a"\ndisk=${after} ; memory = 5`)
    editor.removeItem('disk', editor.items('disk').indexOf('n'))
    expect(editor.text).toBe(text)
  }
  // not the form in which pengx adds a line of its own
  expect(edit('disk = [ ]\n', (editor) => editor.insertItem('disk', 'n'))).toBe('disk = [ "n"]\n')
  expect(edit('disk = [ "n"]\n', (editor) => editor.removeItem('disk', 0))).toBe('disk = [ ]\n')
  expect(edit('cpus = [ 1, 2 ]', (editor) => editor.insertItem('cpus', '3'))).toBe('cpus = [ 1, 2, 3 ]')
  expect(edit('cpus = [ 1, 2 ]', (editor) => editor.replaceItem('cpus', 0, '^1'))).toBe('cpus = [ "^1", 2 ]')
})

test('an item leaves with one comma and without any comment', () => {
  const taken: [string, number, string][] = [
    ['["a", "b", "c"]', 0, '["b", "c"]'],
    ['["a", "b", "c"]', 1, '["a", "c"]'],
    ['["a", "b", "c"]', 2, '["a", "b"]'],
    ['[ "a", ]', 0, '[ ]'],
    ['[ "a",\n  "b",\n  "c" ]', 0, '[ "b",\n  "c" ]'],
    ['[ "a",\n  "b",\n  "c" ]', 1, '[ "a",\n  "c" ]'],
    ['[ "a",\n  "b", "c" ]', 1, '[ "a",\n  "c" ]'],
    ['[ "a",\n  "b",\n  "c" ]', 2, '[ "a",\n  "b" ]'],
    ['[\n  "a", # root\n  "b", # data\n]', 0, '[\n   # root\n  "b", # data\n]'],
    ['[\n  "a", # root\n  "b", # data\n]', 1, '[\n  "a", # root\n   # data\n]'],
    ['[\n  "a",\n  "b" # data\n]', 1, '[\n  "a"\n   # data\n]'],
    ['[\n  # root\n  "a",\n  # data\n  "b"\n]', 0, '[\n  # root\n  # data\n  "b"\n]'],
    ['[\n  # root\n  "a",\n  # data\n  "b"\n]', 1, '[\n  # root\n  "a"\n  # data\n]'],
    ['[ "a" # root\n  , "b" ]', 0, '[  # root\n   "b" ]'],
    ['[ "a"\n  , "b"\n  , "c" ]', 1, '[ "a"\n  , "c" ]'],
    ['[ # x\n"a" # x\n]', 0, '[ # x\n # x\n]'],
  ]
  for (const [before, index, after] of taken) {
    expect(edit(`disk = ${before}\n`, (editor) => editor.removeItem('disk', index))).toBe(`disk = ${after}\n`)
  }
})

test('items are counted over all statements that make up a list', () => {
  const text = `disk = [ "a", "b" ]\nname = "x"\ndisk += [ ]\ndisk += [ 'c', ]; disk += []\n`
  const editor = openEditor(text, 'a.cfg')
  expect(editor.items('disk')).toEqual(['a', 'b', 'c'])
  editor.replaceItem('disk', 2, "c's")
  editor.insertItem('disk', 'd')
  editor.removeItem('disk', 1)
  expect(editor.text).toBe(`disk = [ "a" ]\nname = "x"\ndisk += [ ]\ndisk += [ 'c\\'s', 'd', ]; disk += []\n`)
  expect(editor.items('disk')).toEqual(['a', "c's", 'd'])
  expect(editor.items('vif')).toEqual([])
})

test('what cannot be edited safely is refused before anything changes, and no value is told', () => {
  const refused: [string, (editor: ReturnType<typeof openEditor>) => void, RegExp][] = [
    ['memory = 1\nmemory = 2\n', (it) => it.setValue('memory', 3), /^a\.cfg:1: memory is given again in line 2: /],
    ['memory += 1\n', (it) => it.setValue('memory', 3), /^a\.cfg:1: memory is a number that is added/],
    ['extra = "s3cret"\n\nextra += "b"\n', (it) => it.setValue('extra', 'c'), /^a\.cfg:1: .* in line 3: /],
    ['vncpasswd = [ "s3cret" ]\n', (it) => it.setValue('vncpasswd', 'c'), /^a\.cfg:1: vncpasswd is a list/],
    [
      '\ndisk = [ "s3cret" ]\ndisk = []\n',
      (it) => it.insertItem('disk', 'c'),
      /^a\.cfg:2: disk is given again in line 3/,
    ],
    ['disk += [ "s3cret" ]\ndisk = []\n', (it) => it.removeItem('disk', 0), /^a\.cfg:1: disk is given again/],
    ['disk = "s3cret"\n', (it) => it.insertItem('disk', 'c'), /^a\.cfg:1: disk is one value/],
    ['disk = [ "s3cret", [] ]\n', (it) => it.replaceItem('disk', 0, 'c'), /^a\.cfg:1: disk has an item that/],
    ['disk = [ "s3cret" ]\n', (it) => it.removeItem('disk', 1), /^a\.cfg: disk has no item 2/],
    ['', (it) => it.setValue('Name', 's3cret'), /"Name" is no name/],
    ['', (it) => it.setValue('memory', 1.5), /whole numbers/],
    ['', (it) => it.setValue('name', 's3cret\0'), /what a configuration cannot/],
    ['', (it) => it.setValue('name', 's3cret\ud800'), /what a configuration cannot/],
  ]
  for (const [text, change, message] of refused) {
    const editor = openEditor(text, 'a.cfg')
    const error = refusalOf(() => change(editor))
    expect([error?.code, error?.message]).toEqual(['invalid', expect.stringMatching(message)])
    expect(error?.message).not.toContain('s3cret')
    expect(editor.text).toBe(text)
  }
  const unread: [string, RegExp][] = [
    ['name = "a\n', /^a\.cfg:1: /],
    ['\ufeffname = "a"\n', /^a\.cfg:1: /],
    ['a = "x"\na += [ "y" ]\n', /^a\.cfg:2: a \+= adds a list to a string/],
    ['name = "#"\n# end', /last line is a comment/],
    ['name = "a" # end', /last line is a comment/],
  ]
  for (const [text, message] of unread) expect(() => openEditor(text, 'a.cfg')).toThrow(message)
  expect(openEditor('name = "#"', 'a.cfg').text).toBe('name = "#"')
})
