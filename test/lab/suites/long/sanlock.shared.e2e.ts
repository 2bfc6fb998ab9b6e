// A VM under a lease of a real sanlock, which dom0 runs twice: as itself, and in a mount namespace with a socket of its own
// as another host of the same lockspace, which holds what a second machine would.
import { afterAll, beforeAll, expect, test } from 'bun:test'
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import { labHost, labHosts, run, sh } from '../../machine/ssh.ts'
import { type Pengx, pengxOutside, perform, vmsOf } from '../../pengx.ts'

const host = labHost()
const DATA = '/data-sanlock'
const LEASES = `${DATA}/leases`
const SPACE = 'e2e'
const SOCKETS = '/run/sanlock-other'
const OTHER = `nsenter -t $(cat ${SOCKETS}/sanlock.pid) -m`
let pengx: Pengx & { readonly home: string }
let uuid = ''

beforeAll(async () => {
  await sh(
    host,
    `mkdir -p ${LEASES} /run/sanlock ${SOCKETS}
    truncate -s 1M ${LEASES}/lockspace
    chown sanlock:sanlock ${LEASES} ${LEASES}/lockspace /run/sanlock ${SOCKETS}
    sanlock client status >/dev/null || sanlock daemon -w 0
    unshare -m sh -c 'mount --bind ${SOCKETS} /run/sanlock && exec sanlock daemon -w 0 -e other'
    for i in $(seq 50); do sanlock client status >/dev/null && ${OTHER} sanlock client status >/dev/null && break; sleep 0.2; done
    sanlock client init -s ${SPACE}:0:${LEASES}/lockspace:0
    sanlock client add_lockspace -s ${SPACE}:1:${LEASES}/lockspace:0
    ${OTHER} sanlock client add_lockspace -s ${SPACE}:2:${LEASES}/lockspace:0`,
  )
  pengx = pengxOutside(labHosts().slice(0, 1))
  appendFileSync(
    join(pengx.home, 'config/pengx/config.toml'),
    `[sanlock]\nlockspace = "${SPACE}"\nleases = "${LEASES}"\n`,
  )
  await perform(pengx, 'storlink.create', 'leased', '--link', DATA, '--type', 'LO', '--level', 'FL')
  const sizes = ['--disk-size', '16', '--extra-disk-size', '16', '--memory', '96', '--bridges', 'xenbr0']
  const boot = ['--type', 'pv', '--kernel', '/lab/guest/vmlinux', '--ramdisk', '/lab/guest/initrd']
  await perform(pengx, 'vm.create', 'leased', '--storlink', 'leased', ...sizes, ...boot)
  uuid = (await vmsOf(pengx)).get('leased')!.uuid
}, 400_000)

afterAll(async () => {
  await run(host, ['xl', 'destroy', 'leased'])
  await sh(
    host,
    `${OTHER} sanlock client shutdown -f 1; sanlock client rem_lockspace -s ${SPACE}:1:${LEASES}/lockspace:0; rm -r ${DATA}`,
  )
}, 400_000)

const lease = () => `${SPACE}:${uuid}:${LEASES}/${uuid}:0`

/** The lines of the lease in what sanlock shows; none where it is free. */
const shown = async () => (await sh(host, `sanlock client status | grep '^r ${SPACE}:${uuid}' || true`)).trim()

async function needRefusal(why: RegExp, ...more: string[]): Promise<void> {
  const said = await pengx.run('run', 'vm.start', 'leased', '--yes', ...more)
  expect({ exit: said.exit, said: said.stderr }).toEqual({ exit: expect.any(Number), said: expect.stringMatching(why) })
  expect(said.exit).not.toBe(0)
  expect((await run(host, ['xl', 'domid', 'leased'])).exit).not.toBe(0)
}

test('it is held while the domain is there, over a reboot, and others are refused', async () => {
  await perform(pengx, 'vm.start', 'leased')
  expect(await shown()).toStartWith(`r ${lease()}`)
  expect((await sh(host, `sanlock client command -r ${lease()} -c /bin/true || true`)).trim()).toEndWith(
    'acquire done -17',
  )
  const other = await sh(host, `${OTHER} sanlock client command -r ${lease()} -c /bin/true || true`)
  expect(other.trim()).toEndWith('acquire done -243')
  const domid = (await sh(host, 'xl domid leased')).trim()
  await perform(pengx, 'vm.reboot', 'leased')
  expect((await sh(host, 'xl domid leased')).trim()).not.toBe(domid)
  expect(await shown()).toStartWith(`r ${lease()}`)
}, 500_000)

test('a shutdown frees it', async () => {
  await perform(pengx, 'vm.shutdown', 'leased')
  await sh(
    host,
    `for i in $(seq 60); do sanlock client status | grep -q '^r ${SPACE}:${uuid}' || exit 0; sleep 0.5; done; exit 1`,
  )
  expect((await sh(host, `${OTHER} sanlock client command -r ${lease()} -c /bin/echo taken`)).trim()).toBe('taken')
}, 500_000)

test('while another host holds it nothing starts, and that host is named', async () => {
  const pid = (
    await sh(
      host,
      `setsid ${OTHER} sanlock client command -r ${lease()} -c /bin/sleep 3000 >/dev/null 2>&1 </dev/null & echo $!
      for i in $(seq 50); do ${OTHER} sanlock client status | grep -q '^r ${SPACE}:${uuid}' && break; sleep 0.2; done`,
    )
  ).trim()
  await needRefusal(/its lease is held by host 2 \(other\) of the lockspace e2e, which lives: shut the VM down there/)
  await needRefusal(/its lease is held by host 2 \(other\)/, '--force')
  await sh(host, `kill ${pid}`)
  await perform(pengx, 'vm.start', 'leased')
  expect(await shown()).toStartWith(`r ${lease()}`)
  await perform(pengx, 'vm.poweroff', 'leased')
}, 500_000)

test('where the lockspace is not joined nothing starts', async () => {
  await sh(host, `sanlock client rem_lockspace -s ${SPACE}:1:${LEASES}/lockspace:0`)
  await needRefusal(/sanlock there has not joined the lockspace e2e/)
}, 500_000)
