import { describe, expect, test } from 'bun:test'
import { PengxError } from '../../src/model/error.ts'
import { PM_A, PM_B, type Served, serveSite, WEB } from './site.ts'

/** What an engine says, as a caller hears it; and which PM is meant where none is named. */
const vm = (fields: string) =>
  `<vm><name>n</name><storlink>1</storlink><memory>512</memory><os_disk_size>1</os_disk_size>${fields}</vm>`

describe('what an engine says becomes a status', () => {
  test.each<[ConstructorParameters<typeof PengxError>[0], number]>([
    ['invalid', 400],
    ['conflict', 400],
    ['busy', 400],
    ['refused', 400],
    ['unsupported', 400],
    ['commandFailed', 400],
    ['noSpace', 400],
    ['cancelled', 400],
    ['notFound', 400],
    ['readOnly', 403],
    ['unreachable', 503],
    ['internal', 500],
  ])('%s: %d, before and after it has begun', async (code, status) => {
    const own = await serveSite()
    own.engine.onRun('vm.shutdown', async () => ({ state: 'undone', code, message: 'the reason' }))
    const ended = await own.ask('POST', `/vms/${WEB}/shutdown/`)
    expect(ended.status).toBe(status)
    expect(ended.headers.get('pengx-job')).toBe(own.engine.site.jobs[0]?.id ?? 'none')
    own.engine.onStart('vm.shutdown', new PengxError(code, 'the reason'))
    const refused = await own.ask('POST', `/vms/${WEB}/shutdown/`)
    expect(refused.status).toBe(status)
    expect(refused.headers.get('pengx-job')).toBeNull()
    expect(refused.headers.get('retry-after')).toBe(status === 503 ? '10' : null)
    const text = await refused.text()
    expect(text.includes('the reason')).toBe(status !== 500)
    await own.server.stop()
  })

  test('a path’s own VM that goes in between is 404', async () => {
    const own = await serveSite()
    own.engine.onRun('vm.shutdown', async () => {
      own.engine.set({ vms: [] })
      return { state: 'undone', code: 'notFound', message: 'there is no VM' }
    })
    expect((await own.ask('POST', `/vms/${WEB}/shutdown/`)).status).toBe(404)
    await own.server.stop()
  })

  test('a defect is a reference to the log, never a trace', async () => {
    const own = await serveSite()
    const defect = new TypeError('undefined is not an object (evaluating x.y)')
    own.engine.onStart('vm.poweroff', defect)
    const response = await own.ask('POST', `/vms/${WEB}/poweroff/`)
    const text = await response.text()
    expect(response.status).toBe(500)
    expect(text).not.toContain('undefined')
    const [{ reference, err }] = own.logged as [{ reference: string; err: Error }]
    expect(text).toContain(reference)
    expect(err.cause).toBe(defect)
    await own.server.stop()
  })

  test('a parameter is named as the caller knows it', async () => {
    const own = await serveSite()
    const message = 'bridges: xenbr9 is not on dom0-a, which has xenbr0'
    own.engine.onStart('vm.create', new PengxError('invalid', message))
    const response = await own.ask('POST', '/vms/', { body: vm('') })
    expect(await response.text()).toContain('network: xenbr9 is not on dom0-a')
    await own.server.stop()
  })
})

describe('which PM is meant', () => {
  async function askSelf(set: (own: Served) => void, self?: string): Promise<string> {
    const own = await serveSite(undefined, self === undefined ? {} : { self })
    set(own)
    const response = await own.ask('GET', '/pms/?format=json')
    const { pm, root } = (await response.json()) as { pm?: { id: string }; root?: { message: string } }
    await own.server.stop()
    return pm?.id ?? `${response.status} ${root?.message}`
  }

  test('the one this runs on, the configured one, the only one, none', async () => {
    const local = (own: Served) =>
      own.engine.set({
        pms: own.engine.site.pms.map((pm) => ({ ...pm, destination: pm.uuid === PM_B ? 'local' : pm.destination })),
      })
    expect(await askSelf(local, 'dom0-a')).toBe(PM_B)
    expect(await askSelf(() => undefined, 'dom0-b')).toBe(PM_B)
    expect(await askSelf(() => undefined, PM_B)).toBe(PM_B)
    expect(await askSelf((own) => own.engine.set({ settings: {}, pms: own.engine.site.pms.slice(1) }))).toBe(PM_B)
    expect(await askSelf((own) => own.engine.set({ settings: {} }))).toStartWith(
      '404 no PM is this server’s own'.replace('’', "'"),
    )
  })

  test('a new storlink is made on it unless another is named', async () => {
    const body = (more: string) =>
      `<storlink><name>s</name><link>/s</link><type>lo</type><level>fl</level>${more}</storlink>`
    const own = await serveSite()
    await own.ask('POST', '/storlinks/create', { body: body('') })
    await own.ask('POST', '/storlinks/create', { body: body(`<pm>${PM_B.toUpperCase()}</pm>`) })
    expect(own.engine.started.map(({ params }) => (params as { pm: string }).pm)).toEqual([PM_A, PM_B])
    await own.server.stop()
  })
})
