import { expect, test } from 'bun:test'
import { withKeptDisks } from '../../../src/engine/tools/xl/kept.ts'

const TEXT = `{
    "b_info": { "max_memkb": 98304, "iomem": [ { "start": 1, "number": 1, "gfn": 18446744073709551615 } ] },
    "disks": [
        { "pdev_path": "/data/a.raw", "vdev": "xvda", "backend": "qdisk", "format": "raw", "readwrite": 1 },
        { "pdev_path": "/data/b.qcow2", "vdev": "xvdb", "format": "qcow2", "readwrite": 1 }
    ]
}`

test('a disk lies on another image, and every other word and number of libxl’s is as it was', () => {
  const told = withKeptDisks(TEXT, [{ vdev: 'xvda', path: '/layers/1.qcow2', format: 'qcow2' }])
  expect(JSON.parse(told).disks).toEqual([
    { pdev_path: '/layers/1.qcow2', vdev: 'xvda', backend: 'qdisk', format: 'qcow2', readwrite: 1 },
    JSON.parse(TEXT).disks[1],
  ])
  expect(told).toContain('"gfn":18446744073709551615')
  const back = withKeptDisks(told, [{ vdev: 'xvda', path: '/data/a.raw', format: 'raw' }])
  expect(back.replaceAll(/\s/g, '')).toBe(TEXT.replaceAll(/\s/g, ''))
})

test('the zero byte at its end stays', () => {
  const told = withKeptDisks(`${TEXT}\0`, [{ vdev: 'xvda', path: '/x', format: 'raw' }])
  expect(told).toEndWith('}\0')
  expect(withKeptDisks(`${TEXT}\0`, [])).toBe(`${TEXT}\0`)
})

test('what says so already, and a disk that is not there, change nothing', () => {
  expect(withKeptDisks(TEXT, [{ vdev: 'xvdb', path: '/data/b.qcow2', format: 'qcow2' }])).toBe(TEXT)
  expect(withKeptDisks(TEXT, [{ vdev: 'xvdc', path: '/x', format: 'raw' }])).toBe(TEXT)
  expect(withKeptDisks('{ "c_info": {} }', [{ vdev: 'xvda', path: '/x', format: 'raw' }])).toBe('{ "c_info": {} }')
})
