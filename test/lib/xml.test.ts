import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { escapeXml, hasForbidden, parseXml, type XmlElement } from '../../src/lib/xml.ts'

const DEPTH = 32

function rootOf(text: string): XmlElement {
  const result = parseXml(text, DEPTH)
  if (!result.ok) throw new Error(result.problem)
  return result.root
}

function element(name: string, text: string, ...children: XmlElement[]): XmlElement {
  return { name, text, children }
}

test('attributes are told where they are asked for, with their prefixes', () => {
  const result = parseXml('<a xmlns:o="u" o:id="&lt;1>" id=""><b/></a>', DEPTH, { attributes: true })
  if (!result.ok) throw new Error(result.problem)
  expect([...result.root.attributes!]).toEqual([
    ['xmlns:o', 'u'],
    ['o:id', '<1>'],
    ['id', ''],
  ])
  expect([...result.root.children[0]!.attributes!]).toEqual([])
  expect(parseXml('<a b="1" b="2"/>', DEPTH, { attributes: true })).toMatchObject({ ok: false })
})

describe('well-formed documents become trees', () => {
  test.each<[string, string, XmlElement]>([
    ['text, untouched', '<a>0123</a>', element('a', '0123')],
    ['an empty element', '<a/>', element('a', '')],
    ['a declaration and a byte order mark', '\ufeff<?xml version="1.0" encoding="UTF-8"?>\n<a/>', element('a', '')],
    ['comments', '<!-- one --><a>x<!-- <b> & -->y</a><!---->', element('a', 'xy')],
    ['CDATA is text', '<a>1<![CDATA[<b>&amp;]]>2</a>', element('a', '1<b>&amp;2')],
    ['references, once', '<a>&amp;lt; &#38;amp; &#x41;&quot;</a>', element('a', '&lt; &amp; A"')],
    ['attributes are passed over', '<vm id="&lt;1>2"><b c=\'"\'/></vm>', element('vm', '', element('b', ''))],
    ['one list item', '<n><list-item>0</list-item></n>', element('n', '', element('list-item', '0'))],
    [
      'names that a program has words for',
      '<a><__proto__>1</__proto__><constructor/></a>',
      element('a', '', element('__proto__', '1'), element('constructor', '')),
    ],
    ['Korean', '<a>가상 머신 😀</a>', element('a', '가상 머신 😀')],
    ['line ends', '<a>1\r\n2</a>', element('a', '1\n2')],
  ])('%s', (_title, text, tree) => expect(rootOf(text)).toEqual(tree))
})

describe('everything else is refused', () => {
  test.each<[string, string]>([
    ['nothing', ''],
    ['no element', 'hello'],
    ['text before', 'x<a/>'],
    ['text after', '<a/>x'],
    ['CDATA around', '<![CDATA[x]]><a/>'],
    ['two roots', '<a/><b/>'],
    ['not closed', '<a><b></a>'],
    ['crossed', '<a><b></a></b>'],
    ['cut off', '<a><b'],
    ['a bare &', '<a>R&D</a>'],
    ['an unknown entity', '<a>&copy;</a>'],
    ['an entity by another case', '<a>&AMP;</a>'],
    ['a reference to nothing', '<a>&#0;</a>'],
    ['a reference to half a character', '<a>&#xd800;</a>'],
    ['a reference beyond Unicode', '<a>&#x110000;</a>'],
    ['a bare <', '<a>1 < 2</a>'],
    ['< in an attribute', '<a b="<"/>'],
    ['an attribute twice', '<a b="1" b="2"/>'],
    ['an attribute without quotes', '<a b=1/>'],
    ['a name that is none', '<1a/>'],
    [']]> in text', '<a>]]></a>'],
    ['a control character', '<a>\u0001</a>'],
    ['half a character', '<a>\ud83d</a>'],
    ['-- in a comment', '<a><!-- a -- b --></a>'],
    ['an open comment', '<a/><!-- x'],
    ['an open CDATA section', '<a><![CDATA[x</a>'],
    ['a document type', '<!DOCTYPE a><a/>'],
    ['a document type in other letters', '<!doctype a><a/>'],
    ['an entity of its own', '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'],
    ['an entity from a file', '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>'],
    ['a processing instruction', '<?php echo 1 ?><a/>'],
    ['a stylesheet', '<?xml version="1.0"?><?xml-stylesheet href="x"?><a/>'],
    ['a late declaration', ' <?xml version="1.0"?><a/>'],
    ['another encoding', '<?xml version="1.0" encoding="EUC-KR"?><a/>'],
    ['33 deep', '<a>'.repeat(33) + '</a>'.repeat(33)],
    ['1000 deep', '<a>'.repeat(1_000) + '</a>'.repeat(1_000)],
  ])('%s', (_title, text) => {
    const result = parseXml(text, DEPTH)
    expect(result.ok).toBe(false)
    if (!result.ok) expect(result.problem.length).toBeLessThan(200)
  })
})

test('32 deep is read', () => {
  expect(parseXml('<a>'.repeat(32) + '</a>'.repeat(32), DEPTH).ok).toBe(true)
})

describe('what is wrong is said, and where', () => {
  test.each<[string, string, string]>([
    ['an attribute twice', '<a>\n<b c="1"\nc="2"/></a>', 'duplicate attribute: c (line 3)'],
    ['an attribute without a value', '<a>\n<b c></b></a>', 'attribute without value (line 2)'],
    ['a name that is none', '<a>\n<1b/></a>', 'a "<" begins no element: write &lt; (line 2)'],
    ['a name with a sign', '<a>\n<b!/></a>', 'disallowed character in tag name (line 2)'],
    ['crossed', '<a>\n<b>\n<c></b></a>', 'the end tag of <c> is expected (line 3)'],
    ['an end without a beginning', '<a/>\n</a>', 'unmatched closing tag: a (line 2)'],
    ['not closed, where it begins', '<a>\r\n<b\r\n>\r\n\r\n', '<b> is not closed (line 2)'],
    [
      'an & that nothing ends',
      '<a>\nR&D\n</a>\n',
      'an "&" stands alone or names an unknown entity: write &amp; (line 2)',
    ],
    [
      'an & that a later ; ends',
      '<a>\nR&D\n;</a>',
      'an "&" stands alone or names an unknown entity: write &amp; (line 2)',
    ],
    ['another thing than a lone & in a comment', '<a><!-- R&D -->', '<a> is not closed (line 1)'],
    [
      'a name of the program’s own',
      '<a>&constructor;</a>',
      'an "&" stands alone or names an unknown entity: write &amp; (line 1)',
    ],
    ['a reference', '<a>\n&#0;</a>', 'a numeric reference stands for no character that XML allows (line 2)'],
    ['a < in an attribute', '<a>\n<b c="<"/></a>', 'a "<" stands in an attribute: write &lt; (line 2)'],
    ['a ]]>', '<a>\n]]></a>', 'a "]]>" stands outside CDATA (line 2)'],
    ['a comment', '<a>\n<!-- -- --></a>', 'a comment holds "--" (line 2)'],
    ['a control character', '<a>\n\u0001</a>', 'it holds a character that XML forbids (line 2)'],
    ['text around', '<a/>\nx', 'there is text outside the root element (line 2)'],
    ['two roots', '<a/>\n<b/>', 'there is a second root element (line 2)'],
    ['nothing', '', 'there is no root element (line 1)'],
    ['a document type', '\n<!DOCTYPE a>\n<a/>', 'document types and entities are refused (line 2)'],
    ['a late document type', '<a/>\n<!DOCTYPE a>', 'document types and entities are refused (line 2)'],
    ['an instruction', '<a>\n<?b c?></a>', 'processing instructions are refused (line 2)'],
    ['an encoding', "<?xml version='1.0' encoding='latin1'?>\n<a/>", 'encoding latin1: only UTF-8 is read (line 1)'],
    ['depth', `${'<a>\n'.repeat(33)}`, 'elements are nested too deep (line 33)'],
  ])('%s', (_title, text, problem) => expect(parseXml(text, DEPTH)).toEqual({ ok: false, problem }))
})

test('a document that says it is XML 1.1 is read as XML 1.0', () => {
  expect(rootOf('<?xml version="1.1" standalone="yes"?><a>\u0085</a>').text).toBe('\u0085')
  expect(parseXml('<?xml version="1.1"?><a>&#1;</a>', DEPTH).ok).toBe(false)
})

describe('a hostile megabyte is over before anybody waits', () => {
  const MIB = 1_000_000
  const fill = (part: string) => part.repeat(Math.ceil(MIB / part.length))
  test.each<[string, boolean, string]>([
    ['open comments', false, fill('<!--')],
    ['closed comments', true, `<a>${fill('<!---->')}</a>`],
    ['open CDATA', false, fill('<![CDATA[')],
    ['closed CDATA', true, `<a>${fill('<![CDATA[]]>')}</a>`],
    ['open quotes', false, `<a ${fill('"<')}`],
    ['tags', false, fill('<a>')],
    ['attributes', false, `<a${fill(' b="1"')}/>`],
    ['references', true, `<a>${fill('&amp;')}</a>`],
    ['blanks', true, `<a${fill(' ')}/>`],
    ['a declaration of blanks', true, `<?xml version="1.0"${fill(' ')}?><a/>`],
    ['a long name', true, `<${fill('a')}/>`],
    ['a long reference', false, `<a>&${fill('a')}`],
    ['line ends', true, `<a>${fill('\r\n')}</a>`],
    ['brackets', true, `<a>${fill(']')}</a>`],
    ['elements', true, `<a>${fill('<b/>')}</a>`],
    ['other attributes', true, `<a${Array.from({ length: MIB / 12 }, (_, index) => ` b${index}="1"`).join('')}/>`],
    ['references in an attribute', true, `<a b="${fill('&amp;')}"/>`],
    ['a document type', false, `<!DOCTYPE a [${fill('<!ENTITY b "c">')}]><a/>`],
    ['an instruction', false, `<?a ${fill('?')}`],
  ])('%s', (_title, isRead, text) => {
    const begun = performance.now()
    expect(parseXml(text, DEPTH).ok).toBe(isRead)
    expect(performance.now() - begun).toBeLessThan(5_000)
  })
})

test('what is escaped is read back, whatever it was', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const written = escapeXml(text)
      expect(hasForbidden(written)).toBe(false)
      const kept = [...text].map((char) => (hasForbidden(char) ? '\ufffd' : char)).join('')
      expect(rootOf(`<a>${written}</a>`).text).toBe(kept)
    }),
  )
})

test('a NUL and half a character become the replacement character', () => {
  expect(escapeXml('a\u0000b\ud800c')).toBe('a\ufffdb\ufffdc')
  expect(escapeXml(`<>&'"\r`)).toBe('&lt;&gt;&amp;&apos;&quot;&#13;')
})
