import { expect, test } from 'bun:test'
import { parseEntries, parseIdentities, startsGuests } from '../../../src/engine/tools/autostart.ts'

test('names are in the order in which they are started, without what a shell’s star leaves out', () => {
  const said = 'l 20-b.cfg\0../b.cfg\0f .hidden\0\0l 10 two words\0/etc/xen/a\nb.cfg\0f zz\0\0l Upper\0x\0'
  expect(parseEntries(said)).toEqual([
    { name: '10 two words', target: '/etc/xen/a\nb.cfg' },
    { name: '20-b.cfg', target: '../b.cfg' },
    { name: 'Upper', target: 'x' },
    { name: 'zz' },
  ])
  expect(parseEntries('')).toEqual([])
})

test('a file is told by device and inode, also under a name with blanks', () => {
  const said = '2049:77 a b.cfg\x002049:78 c.cfg\0'
  expect([...parseIdentities(said)]).toEqual([
    ['a b.cfg', '2049:77'],
    ['c.cfg', '2049:78'],
  ])
})

test.each([
  ['System V', '/etc/rc2.d/S01xendomains ../init.d/xendomains\n', true],
  ['System V, disabled', '/etc/rc2.d/K01xendomains ../init.d/xendomains\n', false],
  [
    'systemd',
    '/etc/systemd/system/multi-user.target.wants/xendomains.service /lib/systemd/system/xendomains.service\n',
    true,
  ],
  ['OpenRC', '/etc/runlevels/default/xendomains /etc/init.d/xendomains\n', true],
  ['an override alone', '/etc/systemd/system/xendomains.service.d \n', false],
  ['nothing', '', false],
  [
    'masked, whatever System V says',
    '/etc/rc2.d/S01xendomains ../init.d/xendomains\n/etc/systemd/system/xendomains.service /dev/null\n',
    false,
  ],
])('whether a service starts guests: %s', (_what, said, starts) => {
  expect(startsGuests(said)).toBe(starts)
})
