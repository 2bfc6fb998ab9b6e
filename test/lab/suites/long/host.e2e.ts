// Proves the lab itself: what every other suite takes for granted of a host and of its guests.
import { afterAll, expect, test } from 'bun:test'
import { askGuest, consoleMark, waitConsole } from '../../machine/console.ts'
import { CONFIGS, guestConfig, guestMac } from '../../machine/guest.ts'
import { labHost, labHosts, run, sh } from '../../machine/ssh.ts'

const host = labHost()
const state = async (name: string): Promise<string> => (await run(host, ['xl', 'list', name])).stdout

afterAll(async () => {
  for (const name of ['pv1', 'deaf', 'counter']) await run(host, ['xl', 'destroy', name])
})

test('a host answers as Xen 4.17, with an identity of its own', async () => {
  expect(await sh(host, 'xl info')).toMatch(/^xen_version\s+: 4\.17/m)
  expect((await sh(host, 'hostname')).trim()).toBe(host.name)
  const ids = await Promise.all(labHosts().map((one) => sh(one, 'cat /etc/machine-id')))
  expect(ids[0]).toMatch(/^[0-9a-f]{32}\n$/)
  expect(new Set(ids).size).toBe(ids.length)
  expect(Number(await sh(host, 'df --output=avail -B1048576 / | tail -n 1'))).toBeGreaterThan(1536)
})

test('a PV guest boots, sees its devices come and go, answers, and shuts down', async () => {
  await sh(host, `xl create ${CONFIGS}/pv1.cfg`)
  await waitConsole(host, 'pv1', /^READY name=pv1 disks=xvda,xvdb nics=eth0$/)
  await waitConsole(host, 'pv1', new RegExp(`^NICS eth0:${guestMac(1)}$`))
  expect(await askGuest(host, 'pv1', 'cat /sys/block/xvda/size')).toBe('131072')
  await expect(askGuest(host, 'pv1', 'false')).rejects.toThrow('exit 1')

  const mark = await consoleMark(host, 'pv1')
  await sh(host, 'qemu-img create -q -f qcow2 /tmp/more.qcow2 8M')
  await sh(host, 'xl block-attach pv1 format=qcow2,vdev=xvdc,access=rw,target=/tmp/more.qcow2')
  await waitConsole(host, 'pv1', /^DISKS xvda:65536 xvdb:65536 xvdc:8192$/, { mark })
  await sh(host, 'xl block-detach pv1 xvdc')
  await waitConsole(host, 'pv1', /^DISKS xvda:65536 xvdb:65536$/, { mark })

  await sh(host, 'xl shutdown -w pv1')
  await waitConsole(host, 'pv1', /^BYE poweroff$/, { mark, timeoutMs: 10_000 })
})

test('a guest that ignores shutdown goes on until it is destroyed', async () => {
  const text = guestConfig({ name: 'deaf', type: 'pv', number: 50, disks: [], ignoresShutdown: true })
  const mark = await consoleMark(host, 'deaf')
  await sh(host, 'cat >/tmp/deaf.cfg && xl create /tmp/deaf.cfg', { stdin: text })
  await waitConsole(host, 'deaf', /^READY name=deaf/, { mark })
  await sh(host, 'xl shutdown deaf')
  await waitConsole(host, 'deaf', /^IGNORED poweroff$/, { mark })
  expect(await state('deaf')).toContain('deaf')
  await sh(host, 'xl destroy deaf')
  expect(await state('deaf')).toBe('')
})

test('what a guest has counted is on its disk, also after it was destroyed', async () => {
  const image = '/tmp/counter.qcow2'
  const disks = [`format=qcow2,vdev=xvda,access=rw,target=${image}`]
  const text = guestConfig({ name: 'counter', type: 'pv', number: 51, disks, mode: 'stream' })
  await sh(host, `qemu-img create -q -f qcow2 ${image} 16M && cat >/tmp/counter.cfg && xl create /tmp/counter.cfg`, {
    stdin: text,
  })
  await waitConsole(host, 'counter', /^RESUME 0$/)
  const counted = Number((await waitConsole(host, 'counter', /^COUNT (\d{2,})$/))[1])
  await sh(host, 'xl destroy counter')
  const mark = await consoleMark(host, 'counter')
  await sh(host, 'xl create /tmp/counter.cfg')
  const resumed = Number((await waitConsole(host, 'counter', /^RESUME (\d+)$/, { mark }))[1])
  expect(resumed).toBeGreaterThanOrEqual(counted)

  await sh(host, 'xl reboot counter')
  await waitConsole(host, 'counter', /^BYE reboot$/, { mark })
  const again = await waitConsole(host, 'counter', new RegExp(`^RESUME (?!${resumed}$)(\\d+)$`), { mark })
  expect(Number(again[1])).toBeGreaterThan(resumed)
})
