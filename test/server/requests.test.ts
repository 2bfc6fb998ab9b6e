import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { MADE, PM_A, type Served, serveSite, WEB } from './site.ts'

/** What is asked wrongly, oddly, or in another of the allowed ways. */
let served: Served
beforeAll(async () => {
  served = await serveSite()
})
afterAll(() => served.server.stop())

const vm = (fields: string) =>
  `<vm><name>n</name><storlink>1</storlink><memory>512</memory><os_disk_size>1</os_disk_size>${fields}</vm>`

async function post(body: string, headers: Record<string, string> = {}): Promise<{ status: number; text: string }> {
  const response = await served.ask('POST', '/vms/', { body, headers })
  return { status: response.status, text: await response.text() }
}

const lastParams = () => served.engine.started.at(-1)?.params as Record<string, unknown>

describe('a bad body is refused by the name of what is wrong', () => {
  test.each<[string, string, string]>([
    ['no name', '<vm><storlink>1</storlink></vm>', 'name is missing'],
    ['an empty name', '<vm><name> </name></vm>', 'name is missing'],
    ['no storlink', '<vm><name>a</name></vm>', 'storlink is missing'],
    ['no memory', '<vm><name>a</name><storlink>1</storlink></vm>', 'memory is missing'],
    ['no disk size', '<vm><name>a</name><storlink>1</storlink><memory>1</memory></vm>', 'os_disk_size is missing'],
    ['a name twice', vm('<name>m</name>'), 'name is given twice'],
    ['elements where text is', vm('<desc><b>x</b></desc>'), 'desc: text is expected'],
    ['cores in words', vm('<cpu_core>two</cpu_core>'), 'cpu_core: &quot;two&quot; is not a number'],
    ['cores in hexadecimal', vm('<cpu_core>0x10</cpu_core>'), 'cpu_core: &quot;0x10&quot; is not a number'],
    ['half a core', vm('<cpu_core>1.5</cpu_core>'), 'cpu_core: '],
    ['no cores', vm('<cpu_core>0</cpu_core>'), 'cpu_core: '],
    ['a list that is text', vm('<network>0</network>'), 'network: its values are list-item elements'],
    ['a format that is none', vm('<disk_format>vmdk</disk_format>'), 'disk_format: &quot;vmdk&quot; is not one of'],
    ['a template', vm(`<template>${WEB}</template>`), `template: there is no template ${WEB}`],
    ['a PM that is not there', vm(`<pm>${WEB}</pm>`), `pm: there is no PM ${WEB}; there are ${PM_A} (dom0-a), `],
    [
      'a storlink by name',
      '<vm><name>a</name><storlink>store1</storlink></vm>',
      'storlink: there is no storlink store1',
    ],
    ['less maxmem than memory', vm('<maxmem>1</maxmem>'), 'maxmem 1 MiB is less than memory 512 MiB'],
    [
      'a slash',
      '<vm><name>a/b</name><storlink>1</storlink><memory>1</memory><os_disk_size>1</os_disk_size></vm>',
      '&quot;/&quot;',
    ],
    ['malformed', '<vm><name></vm>', 'not XML that is read here'],
    ['a document type', '<!DOCTYPE vm [<!ENTITY x "y">]><vm><name>&x;</name></vm>', 'document types and entities'],
    ['a processing instruction', '<?a b?><vm/>', 'processing instructions'],
    ['too deep', '<a>'.repeat(33) + '</a>'.repeat(33), 'nested too deep'],
  ])('%s', async (_title, body, message) => {
    const { status, text } = await post(body)
    expect(text).toContain(message)
    expect(text).toContain('<result>failure</result>')
    expect(status).toBe(400)
  })

  test('bytes that are not UTF-8', async () => {
    const body = Buffer.from([...Buffer.from('<vm><name>'), 0xb0, 0xa1, ...Buffer.from('</name></vm>')])
    const headers = { 'Content-Type': 'application/xml' }
    const response = await fetch(`${served.server.url}/vms/`, { method: 'POST', body, headers })
    expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('not UTF-8')])
  })

  test.each<[string, string, string]>([
    ['not JSON', '{"name":', 'not JSON'],
    ['an array', '[1]', 'JSON object'],
    ['text', '"vm"', 'JSON object'],
    ['an object for a value', '{"vm":{"name":{"a":1}}}', 'name: one value is expected'],
    ['a value for a list', '{"name":"n","storlink":1,"memory":1,"os_disk_size":1,"network":"0"}', 'network: an array'],
    ['a control character', '{"name":"a\\u0000b"}', 'name: it holds a control character'],
    ['too deep', `{"name":"a","x":${'['.repeat(40)}${']'.repeat(40)}}`, 'nested too deep'],
    ['much too deep', '['.repeat(500_000), 'not JSON'],
  ])('JSON: %s', async (_title, body, message) => {
    const { status, text } = await post(body, { 'Content-Type': 'application/json' })
    expect(text).toContain(message)
    expect(status).toBe(400)
  })
})

describe('a body is read as it was meant', () => {
  test('values are typed by their fields', async () => {
    for (const name of ['0123', '1e5', 'true', '2017-07-26', '한글 머신', 'R&D']) {
      const body = vm('').replace('<name>n</name>', `<name>  <![CDATA[${name}]]> </name>`)
      expect((await post(body)).status).toBe(201)
      expect(lastParams().name).toBe(name)
    }
  })

  test('the root’s name, attributes, unknown elements and comments do not count', async () => {
    const body = vm('<unknown><a/></unknown><!-- x --><cpu_core unit="x">3</cpu_core>').replace(/(<\/?)vm>/g, '$1vms>')
    expect((await post(`\ufeff<?xml version="1.0"?>\n${body}`)).status).toBe(201)
    expect(lastParams()).toMatchObject({ vcpus: 3, diskFormat: 'qcow2', bridges: [] })
  })

  test('lists: none, empty, one, several', async () => {
    const lists: [string, string[]][] = [
      ['<network/>', []],
      ['<network><list-item/></network>', []],
      ['<network><list-item>1</list-item></network>', ['1']],
      ['<network><list-item>0</list-item><other/><list-item> xenbr1 </list-item></network>', ['0', 'xenbr1']],
    ]
    for (const [given, bridges] of lists) {
      expect((await post(vm(given))).status).toBe(201)
      expect(lastParams().bridges).toEqual(bridges)
    }
  })

  test('JSON, bare and under its root’s name', async () => {
    const fields = { name: '007', storlink: 1, memory: '512', os_disk_size: 10, cpu_core: null, network: [0, 'xenbr1'] }
    for (const body of [fields, { vm: fields }]) {
      const response = await post(JSON.stringify(body), { 'Content-Type': 'application/json; charset=utf-8' })
      expect(response.status).toBe(201)
      expect(lastParams()).toMatchObject({ name: '007', storlink: 1, memory: 512, vcpus: 1, bridges: ['0', 'xenbr1'] })
    }
  })

  test('no type, and XML in it', async () => {
    const request = new Request(`${served.server.url}/vms/`, { method: 'POST', body: Buffer.from(vm('')) })
    expect(request.headers.get('content-type')).toBeNull()
    expect((await fetch(request)).status).toBe(201)
  })

  test('no body where none is needed, whatever its type', async () => {
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
    expect((await served.ask('POST', `/vms/${WEB}/suspend/`, { headers })).status).toBe(200)
    expect((await served.ask('POST', `/vms/${WEB}/resume`, { headers })).status).toBe(200)
  })

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml; charset=euc-kr',
  ])('%s is not read', async (type) => {
    const before = served.engine.started.length
    expect((await post(vm(''), { 'Content-Type': type })).status).toBe(415)
    const body = '<x/>'
    const headers = { 'Content-Type': type }
    expect((await served.ask('POST', `/vms/${WEB}/poweroff/`, { body, headers })).status).toBe(415)
    expect(served.engine.started.length).toBe(before)
  })
})

describe('paths and verbs', () => {
  test.each<[string, string, number, string | null]>([
    ['GET', '/', 404, null],
    ['GET', '/nothing/', 404, null],
    ['GET', '/vms//', 404, null],
    ['GET', '/v3/vms/', 404, null],
    ['GET', '/vms/%zz/', 404, null],
    ['GET', '/pms/0A000000-0000-4000-8000-000000000001', 200, null],
    ['GET', '/pms/all', 200, null],
    ['GET', '/v1/pms/all/', 200, null],
    ['GET', '/api/v2/pms/all', 200, null],
    ['GET', '/v1/storlinks/all/', 200, null],
    ['GET', '/vms/../vms/', 200, null],
    ['GET', '/storlinks/1e0/', 405, 'DELETE, PUT'],
    ['DELETE', '/storlinks/1e0/', 404, null],
    ['DELETE', '/storlinks/all/', 405, 'GET, HEAD'],
    ['DELETE', '/vms/', 405, 'POST, GET, HEAD'],
    ['PUT', '/vms/', 405, 'POST, GET, HEAD'],
    ['OPTIONS', '/vms/', 405, 'POST, GET, HEAD'],
    ['PATCH', '/healthz', 405, 'GET, HEAD'],
    ['POST', '/vms/x/start/', 404, null],
  ])('%s %s is %d', async (method, path, status, allow) => {
    const response = await served.ask(method, path)
    expect(response.status).toBe(status)
    expect(response.headers.get('allow')).toBe(allow)
    expect(response.headers.get('access-control-allow-origin')).toBeNull()
  })

  test('HEAD is GET without the body', async () => {
    for (const path of ['/vms/', '/pms/none/', '/healthz', '/metrics']) {
      const [head, get] = [await served.ask('HEAD', path), await served.ask('GET', path)]
      const length = (await get.arrayBuffer()).byteLength
      expect(head.status).toBe(get.status)
      expect(head.headers.get('content-type')).toBe(get.headers.get('content-type'))
      expect(await head.text()).toBe('')
      // What /metrics says changes with every request.
      if (path !== '/metrics') expect(head.headers.get('content-length')).toBe(String(length))
    }
  })
})

describe('formats', () => {
  test.each<[string | undefined, string, number, string]>([
    [undefined, '', 200, 'application/xml; charset=utf-8'],
    ['*/*', '', 200, 'application/xml; charset=utf-8'],
    ['text/xml', '', 200, 'application/xml; charset=utf-8'],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', '', 200, 'application/xml; charset=utf-8'],
    ['application/json', '', 200, 'application/json; charset=utf-8'],
    ['application/xml;q=0.5, application/json', '', 200, 'application/json; charset=utf-8'],
    ['application/json;q=0, */*;q=0.1', '', 200, 'application/xml; charset=utf-8'],
    ['application/xml; version=v2', '', 200, 'application/xml; charset=utf-8'],
    ['application/xml', '?format=json', 200, 'application/json; charset=utf-8'],
    ['text/html', '', 406, 'application/xml; charset=utf-8'],
    ['text/html', '?format=xml', 200, 'application/xml; charset=utf-8'],
    ['application/json', '?format=yaml', 406, 'application/xml; charset=utf-8'],
  ])('Accept %p %s is %d', async (accept, query, status, type) => {
    const response = await served.ask('GET', `/storlinks/${query}`, {
      headers: accept === undefined ? {} : { Accept: accept },
    })
    expect([response.status, response.headers.get('content-type')]).toEqual([status, type])
  })

  test('a failure in JSON', async () => {
    const response = await served.ask('GET', '/pms/none/?format=json')
    expect(await response.json()).toEqual({
      root: {
        result: 'failure',
        message: 'there is no PM none; GET /pms/all/ lists those that there are',
        code: 'notFound',
      },
    })
  })
})

test('what a guest wrote cannot break an answer', async () => {
  const own = await serveSite()
  const [first] = own.engine.site.vms
  own.engine.set({ vms: [{ ...first!, name: 'a\u0000b\u001b[31m\ud800 ]]> <x>', os: '&amp;' }] })
  const text = await (await own.ask('GET', '/vms/')).text()
  expect(text).toContain('<name>a\ufffdb\ufffd[31m\ufffd ]]&gt; &lt;x&gt;</name>')
  expect(text).toContain('<os>&amp;amp;</os>')
  await own.server.stop()
})

test('a made VM is found where Location says', async () => {
  const response = await served.ask('POST', '/vms/', { body: vm('') })
  expect(response.headers.get('location')).toBe(`/vms/${MADE}/`)
})

describe('what stands in an element of its own', () => {
  const add = async (disk: string, headers: Record<string, string> = {}) => {
    const body = headers['Content-Type'] ? `{"name":"j","disk":${disk}}` : `<t><name>t</name>${disk}</t>`
    const response = await served.ask('POST', '/v2/templates/add_new/', { body, headers })
    return { status: response.status, text: await response.text() }
  }
  const AS_JSON = { 'Content-Type': 'application/json' }

  test.each<[string, string, string]>([
    ['text', '<disk>7</disk>', 'disk: elements are expected in it'],
    ['nothing', '<disk/>', 'disk.storlink is missing'],
    ['twice', '<disk><size>1</size></disk><disk/>', 'disk is given twice'],
    ['a value twice', '<disk><storlink>1</storlink><size>1</size><size>2</size></disk>', 'size is given twice'],
    ['beside it', '<storlink>1</storlink><size>1</size>', 'disk.storlink is missing'],
    ['no size', '<disk><storlink>1</storlink><size> </size></disk>', 'disk.size is missing'],
    ['less than one', '<disk><storlink>1</storlink><size>0</size></disk>', 'disk.size: '],
    ['a storlink by name', '<disk><storlink>store1</storlink></disk>', 'disk.storlink: there is no storlink store1'],
  ])('%s', async (_title, disk, message) => {
    const { status, text } = await add(disk)
    expect([status, text]).toEqual([400, expect.stringContaining(message)])
  })

  test.each<[string, string, string]>([
    ['text', '"7"', 'disk: an object is expected'],
    ['a list', '[{"storlink":1,"size":1}]', 'disk: an object is expected'],
    ['null', 'null', 'disk.storlink is missing'],
    ['deeper', '{"storlink":{"id":1},"size":1}', 'storlink: one value is expected'],
  ])('in JSON: %s', async (_title, disk, message) => {
    const { status, text } = await add(disk, AS_JSON)
    expect([status, text]).toEqual([400, expect.stringContaining(message)])
  })

  test('is read, in both', async () => {
    expect((await add('<disk id="x"><format>RAW</format><size>9</size><storlink>1</storlink></disk>')).status).toBe(201)
    expect(lastParams()).toMatchObject({ name: 't', storlink: 1, size: 9, format: 'raw' })
    expect((await add('{"storlink":"1","size":10}', AS_JSON)).status).toBe(201)
    expect(lastParams()).toMatchObject({ storlink: 1, size: 10, format: 'qcow2' })
  })
})
