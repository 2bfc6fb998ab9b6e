import fc from 'fast-check'

/**
 * Texts that xl reads, with all the freedom that libxlu's lexer and grammar give: comments wherever a line may end, both
 * quotes, escapes, numbers, nested lists, `;`, `+=`, bytes that are no UTF-8 (as `textOfBytes` gives them). A key keeps
 * its kind (a string added to a list is no configuration), and `odd` has any.
 */
const blanks = fc.constantFrom('', '', ' ', ' ', '  ', '\t')
const letter = fc.oneof(
  { arbitrary: fc.constantFrom(...`ab /:=,.-xyz019`), weight: 6 },
  { arbitrary: fc.constantFrom(...`#;[]()+@é☃😀\t\r`, '\udcff', '\udc80'), weight: 2 },
)
const COMMENT_WORDS = ['', ' root', ' "a"', " it's", ' [ 1, 2', ' memory = 9', ' \\', '# x', ' \udce9t\udce9\r', '\t[]']
const comment = fc.constantFrom(...COMMENT_WORDS).map((words) => `#${words}\n`)
const lineEnd = fc.oneof({ arbitrary: fc.constant('\n'), weight: 3 }, { arbitrary: comment, weight: 2 })

/** What may stand between two tokens of a list. */
const gap = fc.oneof(
  { arbitrary: blanks, weight: 4 },
  { arbitrary: fc.tuple(blanks, lineEnd, blanks).map((parts) => parts.join('')), weight: 2 },
  { arbitrary: fc.tuple(blanks, lineEnd, blanks, lineEnd, blanks).map((parts) => parts.join('')), weight: 1 },
)
const quote = fc.constantFrom('"', "'")
const string = fc
  .tuple(
    quote,
    fc.array(fc.oneof({ arbitrary: letter, weight: 8 }, { arbitrary: fc.constantFrom(...'"\'\\nrtabfv'), weight: 1 }), {
      maxLength: 8,
    }),
    fc.boolean(),
  )
  .map(([mark, letters, escapes]) => {
    const inner = letters.map((one) => {
      if (one === '"' || one === "'") return one === mark || escapes ? `\\${one}` : one
      return one === '\\' || (escapes && /^[nrtabfv]$/.test(one)) ? `\\${one === '\\' ? '\\' : one}` : one
    })
    return mark + inner.join('') + mark
  })
const number = fc.constantFrom('0', '1', '512', '0x1f', '010', '1af')
const atom = fc.oneof({ arbitrary: string, weight: 3 }, { arbitrary: number, weight: 1 })

const listOf = (item: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    {
      // one style throughout, as people write
      arbitrary: fc
        .tuple(
          fc.array(item, { maxLength: 4 }),
          fc.constantFrom(
            [' ', ', ', ' '],
            ['', ',', ''],
            ['\n  ', ',\n  ', '\n'],
            ['', ',\n   ', ' '],
            ['\n ', '\n , ', '\n'],
          ),
          fc.constantFrom('', '', ',', ',', ', # end'),
        )
        .map(([items, [open, between, close], end]) =>
          items.length === 0
            ? `[${close}]`
            : `[${open}${items.join(between)}${end === ', # end' ? `${end}\n` : end}${close}]`,
        ),
      weight: 2,
    },
    {
      arbitrary: fc
        .tuple(gap, fc.array(fc.tuple(item, gap, gap), { maxLength: 4 }), fc.boolean())
        .map(([open, items, endsInComma]) => {
          const last = items.length - 1
          const parts = items.map(([one, before, after], index) =>
            index < last || endsInComma ? `${one}${before},${after}` : `${one}${before}`,
          )
          return `[${open}${parts.join('')}]`
        }),
      weight: 2,
    },
  )
const plainList = listOf(atom)
const nestedList = listOf(fc.oneof({ arbitrary: atom, weight: 3 }, { arbitrary: plainList, weight: 1 }))

export const VALUE_KEYS = ['name', 'memory', 'extra', 'a.b_1']
export const LIST_KEYS = ['disk', 'vif', 'cpus']
const assign = (keys: string[], ops: string[], value: fc.Arbitrary<string>) =>
  fc.tuple(fc.constantFrom(...keys), blanks, fc.constantFrom(...ops), blanks, value).map((parts) => parts.join(''))
const appended = fc
  .tuple(fc.constantFrom(...LIST_KEYS), fc.constantFrom('a', 'é', '\udcff', '\\"'))
  .map(([key, item]) => `\n${key} = [ "${item}" ]`)
const statement = fc.oneof(
  { arbitrary: assign(VALUE_KEYS, ['=', '=', '=', '=', '+='], atom), weight: 4 },
  { arbitrary: assign(LIST_KEYS, ['=', '=', '+='], plainList), weight: 5 },
  { arbitrary: assign(LIST_KEYS, ['=', '+='], nestedList), weight: 1 },
  { arbitrary: assign(['odd'], ['='], fc.oneof(atom, nestedList)), weight: 1 },
)
const statementEnd = fc.oneof(lineEnd, lineEnd, fc.constantFrom(';', ';;'))
const between = fc
  .tuple(
    blanks,
    statementEnd,
    fc.array(
      fc.tuple(blanks, statementEnd).map((parts) => parts.join('')),
      { maxLength: 2 },
    ),
    blanks,
  )
  .map(([before, first, more, after]) => before + first + more.join('') + after)

export const anyConfigText: fc.Arbitrary<string> = fc
  .tuple(
    fc.oneof(fc.constant(''), between),
    fc.array(fc.tuple(statement, between), { maxLength: 6 }),
    fc.oneof(
      { arbitrary: fc.constant(''), weight: 2 },
      { arbitrary: fc.tuple(statement, blanks).map((parts) => parts.join('')), weight: 2 },
      // a line as pengx adds it
      { arbitrary: fc.tuple(appended, fc.constantFrom('', '\n')).map((parts) => parts.join('')), weight: 1 },
    ),
  )
  .map(([first, statements, last]) => first + statements.flat().join('') + last)

/** What a value may be set to: any text but a NUL, as `textOfBytes` gives it. */
export const anyValue: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.oneof(letter, fc.constantFrom(...'"\'\\\n')), { maxLength: 10 }).map((letters) => letters.join('')),
  fc.constantFrom('', '7', '0x10', '-1', 'phy:/dev/vg/a,xvda,w', "it's", 'a"b\\'),
)
