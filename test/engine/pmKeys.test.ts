import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHosts, type Hosts } from '../../src/engine/host/hosts.ts'
import { xen } from '../../src/engine/hypervisor/xen.ts'
import type { EngineDeps, Moment } from '../../src/engine/jobs/context.ts'
import { decodeParams } from '../../src/engine/jobs/params.ts'
import { createRunner } from '../../src/engine/jobs/runner.ts'
import { pmSpreadKeys } from '../../src/engine/operations/pm/keys.ts'
import { openStore, type Store } from '../../src/engine/store/store.ts'
import { ownGroup } from '../../src/engine/volumes/groupPlace.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { PengxError } from '../../src/model/error.ts'
import type { Job } from '../../src/model/job.ts'
import { provisionalPm } from '../../src/model/provisional.ts'
import { command, knownLine, makeKey, startSshd, type TestSshd, writeSshConfig } from '../support/programs/sshd.ts'

/**
 * Keys over two real sshds, each with a home of its own. What sshd reads is the file that the operation writes: so who
 * holds the key of the one logs in to the other.
 */
setDefaultTimeout(60_000)

interface Machine {
  readonly name: string
  readonly uuid: string
  readonly sshd: TestSshd
  readonly home: string
  readonly file: string
}

const root = mkdtempSync(join(tmpdir(), 'pengx-keys-'))
const machines: Machine[] = []
let hosts: Hosts
let store: Store
let armed: ((moment: Moment) => void) | undefined

async function openMachine(number: number): Promise<Machine> {
  const name = `alpha${number}`
  const directory = join(root, name)
  const home = join(root, `${name}-home`)
  const inHome = `HOME=${home}; export HOME; exec sh -c "$SSH_ORIGINAL_COMMAND"`
  const sshd = await startSshd(directory, { extra: [`ForceCommand ${inHome}`] })
  const file = join(directory, 'authorized_keys')
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o755 })
  symlinkSync(file, join(home, '.ssh/authorized_keys'))
  return { name, uuid: `0a000000-0000-4000-8000-00000000000${number}`, sshd, home, file }
}

beforeAll(async () => {
  machines.push(await openMachine(1), await openMachine(2))
  await makeKey(join(machines[0]!.home, '.ssh/id_ed25519'))
  const knownHostsPath = join(root, 'known_hosts')
  writeFileSync(knownHostsPath, machines.map(({ sshd }) => knownLine(sshd)).join(''))
  const entries = machines.map(({ name, sshd }) => ({ alias: name, port: sshd.port, identity: sshd.identity }))
  hosts = createHosts({ knownHostsPath, sshConfigPath: writeSshConfig(join(root, 'config'), entries) })
  store = await openStore({ at: 'memory', clock: systemClock })
  for (const { name, uuid } of machines) {
    const seen = { reach: 'up', since: 1, at: 1 } as const
    const size = { cpuCount: 1, memoryMib: 1, readOnly: false, createdAt: 1 }
    await store.inventory.putPm({ uuid, name, destination: `ssh:${name}`, ...size, seen })
  }
})
afterAll(async () => {
  await hosts.closeAll()
  await store.close()
  for (const { sshd } of machines) await sshd.kill()
  rmSync(root, { recursive: true, force: true })
})

async function spread(raw: Readonly<Record<string, unknown>>): Promise<Job> {
  const never = () => {
    throw new Error('nobody asks for this')
  }
  const deps: EngineDeps = {
    store,
    operations: new Map([[pmSpreadKeys.name, pmSpreadKeys]]),
    hypervisor: xen,
    clock: systemClock,
    readOnly: false,
    host: (pm) => hosts.get(store.view.needPm(pm).name, store.view.needPm(pm).destination),
    hostAt: never,
    hostKey: never,
    trustKey: never,
    distrustKey: never,
    volumes: never,
    groupPlaces: () => ownGroup,
    look: async () => [],
    saw: async () => undefined,
    endLost: async () => undefined,
    intercept: (moment) => armed?.(moment),
  }
  const runner = createRunner(deps)
  const started = await runner.start(pmSpreadKeys, decodeParams(pmSpreadKeys.params, raw), 'cli')
  const { job } = await runner.finished(started.id)
  runner.close()
  return job
}

const read = ({ file }: Machine) => readFileSync(file, 'latin1')
const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

/** Logs in to one machine with the key that the other has. */
async function logIn(from: Machine, to: Machine): Promise<string> {
  const options = ['-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null']
  const key = ['-i', join(from.home, '.ssh/id_ed25519'), '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none']
  const argv = ['ssh', '-F', 'none', '-q', ...options, ...key, '-p', String(to.sshd.port), 'root@127.0.0.1']
  return (await command([...argv, 'printenv HOME'])).trim()
}

describe('keys of the site', () => {
  test('a cancel on the second PM leaves both files byte for byte as they were', async () => {
    const [one, two] = machines as [Machine, Machine]
    // Bytes that are no UTF-8, lines that end as Windows has it, and a last line without an end.
    const odd = Buffer.concat([readFileSync(one.file), Buffer.from('# caf\xe9 \xff\r\n\n  # end', 'latin1')])
    writeFileSync(one.file, odd, { mode: 0o640 })
    const before = [read(one), read(two), modeOf(one.file), modeOf(two.file)]
    armed = (moment) => {
      if (moment.name === 'write keys on alpha2' && moment.phase === 'after')
        throw new PengxError('cancelled', 'injected')
    }
    const job = await spread({ create: true })
    armed = undefined
    expect([job.state, job.message]).toEqual(['cancelled', expect.stringContaining('injected')])
    expect([read(one), read(two), modeOf(one.file), modeOf(two.file)]).toEqual(before)
    expect(() => statSync(join(two.home, '.ssh/id_ed25519'))).toThrow()
    expect(modeOf(join(one.home, '.ssh'))).toBe('755')
  })

  test('a PM without a key is named, and nobody is given one who has not asked', async () => {
    const [one, two] = machines as [Machine, Machine]
    const before = read(one)
    const job = await spread({})
    expect(job.state).toBe('done')
    expect(job.message).toContain('alpha2 has no public key')
    expect(read(one).startsWith(`${before}\n# pengx: keys of this site, begin\n`)).toBe(true)
    expect(await logIn(one, two)).toBe(two.home)
    expect([modeOf(one.file), modeOf(two.file), modeOf(join(one.home, '.ssh'))]).toEqual(['600', '600', '700'])
  })

  test('with the missing key made, each reaches the other; once more changes nothing', async () => {
    const [one, two] = machines as [Machine, Machine]
    const own = read(one).slice(0, read(one).indexOf('# pengx:'))
    expect((await spread({ create: true })).state).toBe('done')
    expect(await logIn(one, two)).toBe(two.home)
    expect(await logIn(two, one)).toBe(one.home)
    expect(read(one).startsWith(own)).toBe(true)
    expect(read(one).match(/pengx: keys of this site, begin/g)).toHaveLength(1)
    const after = [read(one), read(two), statSync(one.file).ino]
    expect((await spread({ create: true })).state).toBe('done')
    expect([read(one), read(two), statSync(one.file).ino]).toEqual(after)
  })

  test('a PM that cannot be reached keeps its place in the others’ files', async () => {
    const [one, two] = machines as [Machine, Machine]
    const before = read(one)
    await two.sshd.kill()
    const job = await spread({})
    expect([job.state, job.message]).toEqual(['done', expect.stringContaining('alpha2 is passed over')])
    expect(read(one)).toBe(before)
  })

  test('a PM that has never answered, and will have another identity, is passed over', async () => {
    const late = provisionalPm(`ssh:${machines[0]!.name}`, 1)
    await store.inventory.putPm({ ...late, name: 'late' })
    const job = await spread({})
    await store.inventory.dropPm(late.uuid)
    expect([job.state, job.message]).toEqual([
      'done',
      expect.stringContaining('late is passed over: it has not answered yet'),
    ])
  })

  test('a block that somebody has cut is left alone, and named', async () => {
    const [one] = machines as [Machine, Machine]
    const cut = read(one).replace('# pengx: keys of this site, end\n', '')
    writeFileSync(one.file, Buffer.from(cut, 'latin1'))
    const job = await spread({}).catch((error: unknown) => ({ message: (error as Error).message }))
    expect(job.message).toContain("has the beginning of pengx's block and not its end")
    expect(read(one)).toBe(cut)
  })
})
