import { z } from 'zod'
import { newUuid, shortUuid } from '../../../lib/ids.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Json } from '../../../model/json.ts'
import type { Pm } from '../../../model/pm.ts'
import { isProvisional } from '../../../model/provisional.ts'
import { batch } from '../../host/batch.ts'
import { run, runAll, runBatch } from '../../host/run.ts'
import type { ChangingStep, Context, Operation } from '../../jobs/operation.ts'
import { field } from '../../jobs/params.ts'
import type { View } from '../../store/view.ts'
import { fileExists, readFile, removeFile } from '../../tools/files.ts'
import { changes, reads } from '../../tools/program.ts'
import {
  findBlock,
  formatBlock,
  isPublicKey,
  KEY_NAMES,
  keysDraft,
  makeKey,
  parseBlock,
  parseBytes,
  readBytes,
  type SiteKey,
  withBlock,
  writeKeys,
} from '../../tools/sshKeys.ts'

/**
 * Each PM's public key into each PM's authorized_keys, so that they reach one another (xl migrate goes over SSH). Only
 * the block between pengx's two comments is written. The account is the one that pengx itself logs in as. A PM that
 * cannot be asked is passed over, and the others keep the keys of it that they had.
 */
const params = z.object({
  create: field(z.boolean().default(false), {
    title: 'Make missing keys',
    help: 'a PM without a key gets one (ed25519, without a passphrase); else it is only named',
  }),
})
type Params = z.infer<typeof params>

type Account = {
  readonly pm: string
  readonly name: string
  readonly directory: string
  readonly hadDirectory: boolean
  readonly directoryMode: string
  /** authorized_keys itself, where a link may lead to. */
  readonly path: string
  readonly existed: boolean
  readonly mode: string
  /** The block as it was. */
  readonly block: string | null
  /** The last line of the file had no end, and gets one where the block comes behind it. */
  readonly unended: boolean
  readonly key: string | null
  /** A key is to be made under this mark. */
  readonly mark: string | null
  readonly writable: boolean
}
type Facts = { readonly accounts: readonly Account[]; readonly kept: readonly (SiteKey & Json)[] }

async function lookAt(pm: Pm, create: boolean, cx: Context): Promise<Account> {
  const host = cx.host(pm.uuid)
  const home = (await run(host, reads('printenv', 'HOME'), cx.signal)).stdout.trim()
  if (!home.startsWith('/')) throw new PengxError('commandFailed', `${pm.name} names no home directory`)
  const directory = `${home.replace(/\/$/, '')}/.ssh`
  const link = `${directory}/authorized_keys`
  const privates = KEY_NAMES.map((name) => fileExists(`${directory}/${name}`))
  const publics = KEY_NAMES.map((name) => ({ ...readFile(`${directory}/${name}.pub`), okExits: [0, 1] }))
  const modeOf = (path: string) => ({ ...reads('stat', '-L', '-c', '%a', path), okExits: [0, 1] })
  const rest = [{ ...reads('readlink', '-f', link), okExits: [0, 1] }, readBytes(link), modeOf(directory), modeOf(link)]
  const outputs = await runBatch(host, batch([...privates, ...publics, ...rest]), cx.signal)
  const count = KEY_NAMES.length
  const key = outputs
    .slice(count, 2 * count)
    .map((output) => (output.exit === 0 ? output.stdout.trim() : ''))
    .find(isPublicKey)
  const [resolved, bytes, directoryMode, mode] = outputs.slice(2 * count)
  const existed = bytes?.exit === 0
  const text = existed ? parseBytes(bytes.stdout) : ''
  const block = findBlock(text)
  if (block === 'broken') {
    throw new PengxError(
      'refused',
      `${link} on ${pm.name} has the beginning of pengx's block and not its end: put the end back, or take the beginning out`,
    )
  }
  const halfThere = outputs.slice(0, count).some((output) => output.exit === 0)
  const makes = key === undefined && create && !halfThere && !pm.readOnly
  if (key === undefined && !makes) cx.notice(`${pm.name} has no public key in ${directory}${hintFor(halfThere)}`)
  return {
    pm: pm.uuid,
    name: pm.name,
    directory,
    hadDirectory: directoryMode?.exit === 0,
    directoryMode: directoryMode?.stdout.trim() ?? '',
    path: existed && resolved?.exit === 0 ? resolved.stdout.trim() : link,
    existed,
    mode: mode?.stdout.trim() ?? '',
    block: block ?? null,
    unended: text !== '' && !text.endsWith('\n'),
    key: key ?? null,
    mark: makes ? `pengx-${shortUuid(newUuid())}` : null,
    writable: !pm.readOnly,
  }
}

function hintFor(halfThere: boolean): string {
  return halfThere ? ', only a private one: ssh-keygen -y prints its public half' : ': --create makes one'
}

async function gather({ create }: Params, cx: Context): Promise<Facts> {
  const pms = cx.view.pms()
  const asked = await Promise.all(
    pms.map(async (pm) => {
      if (isProvisional(pm)) {
        // it is about to get another UUID, or cannot be reached
        cx.notice(`${pm.name} is passed over: it has not answered yet`)
        return undefined
      }
      try {
        return await lookAt(pm, create, cx)
      } catch (error) {
        const { code, message } = toPengxError(error)
        if (code !== 'unreachable') throw error
        cx.notice(`${pm.name} is passed over: ${message}`)
        return undefined
      }
    }),
  )
  const accounts = asked.filter((account) => account !== undefined)
  if (accounts.length === 0) throw new PengxError('unreachable', 'no PM can be reached')
  for (const { name, writable } of accounts) if (!writable) cx.notice(`${name} is read-only: its file stays as it is`)
  const kept = new Map<string, SiteKey & Json>()
  for (const { block } of accounts) {
    for (const key of block === null ? [] : parseBlock(block)) {
      const isAway = pms.some((pm) => pm.uuid === key.pm) && !accounts.some((account) => account.pm === key.pm)
      if (isAway) kept.set(key.pm, { ...key })
    }
  }
  return { accounts, kept: [...kept.values()] }
}

function stepOf(account: Account): string {
  return `make a key on ${account.name}`
}

function keyStep(account: Account, mark: string): ChangingStep {
  const path = `${account.directory}/${KEY_NAMES[0]}`
  const publicKey = async (cx: Context) =>
    (await run(cx.host(account.pm), { ...readFile(`${path}.pub`), okExits: [0, 1] })).stdout.trim()
  const isMarked = (key: string) => key.includes(mark)
  /** The private half comes last. */
  const isWhole = async (cx: Context) =>
    isMarked(await publicKey(cx)) && (await run(cx.host(account.pm), fileExists(path))).exit === 0
  return {
    name: stepOf(account),
    shows: [`ssh-keygen -t ed25519 -f ${path}`],
    async do(cx) {
      const host = cx.host(account.pm)
      if (!(await isWhole(cx))) {
        const half = isMarked(await publicKey(cx)) ? [removeFile(`${path}.pub`)] : []
        const directory = changes('mkdir', '-p', '-m', '700', account.directory)
        const parts = [directory, ...half, ...makeKey(path, mark, account.name)]
        await runAll(host, { ...batch(parts, { stopOnFailure: true }), tag: cx.tag })
      }
      const key = await publicKey(cx)
      if (isPublicKey(key) && isMarked(key)) return { key }
      throw new PengxError(
        'commandFailed',
        `cannot make ${path} on ${account.name}: somebody else has made it meanwhile`,
      )
    },
    /** One that is there and was not told yet is asked for by doing it again. */
    async isApplied(cx) {
      const wasTold = cx.output(stepOf(account)) !== undefined
      return wasTold ? await isWhole(cx) : 'again'
    },
    async undo(cx) {
      const host = cx.host(account.pm)
      const own = isMarked(await publicKey(cx)) ? [path, `${path}.pub`] : []
      await run(host, { ...changes('rm', '-f', ...own, `${path}.${mark}`, `${path}.${mark}.pub`), tag: cx.tag })
      await removeDirectory(cx, account)
    },
  }
}

/** One that was not there before goes again, unless somebody has put something into it. */
async function removeDirectory(cx: Context, { pm, directory, hadDirectory }: Account): Promise<void> {
  if (hadDirectory) return
  await run(cx.host(pm), { ...changes('rmdir', directory), okExits: [0, 1], tag: cx.tag })
}

function writeStep(account: Account, facts: Facts): ChangingStep {
  const { pm, name, directory, path } = account
  return {
    name: `write keys on ${name}`,
    shows: [`write ${path}`],
    async do(cx) {
      const block = formatBlock(keysOf(facts, cx))
      const parts = [changes('mkdir', '-p', '-m', '700', directory), changes('chmod', '700', directory)]
      await runAll(cx.host(pm), { ...batch(parts, { stopOnFailure: true }), tag: cx.tag })
      await change(cx, account, (text) => withBlock(text, block))
      return null
    },
    async isApplied(cx) {
      const now = await run(cx.host(pm), readBytes(path))
      return (now.exit === 0 && findBlock(parseBytes(now.stdout)) === formatBlock(keysOf(facts, cx))) || 'again'
    },
    async undo(cx) {
      await change(cx, account, (text) => {
        const before = withBlock(text, account.block ?? undefined)
        const added = account.unended && account.block === null && before !== text
        return added && before.endsWith('\n') ? before.slice(0, -1) : before
      })
      const host = cx.host(pm)
      await run(host, { ...removeFile(keysDraft(path)), tag: cx.tag })
      if (account.existed) await run(host, { ...changes('chmod', account.mode, path), okExits: [0, 1], tag: cx.tag })
      if (account.hadDirectory) await run(host, { ...changes('chmod', account.directoryMode, directory), tag: cx.tag })
      else await removeDirectory(cx, account)
    },
  }
}

function keysOf({ accounts, kept }: Facts, cx: Context): SiteKey[] {
  const own = accounts.flatMap((account): SiteKey[] => {
    const made = cx.output(stepOf(account)) as { readonly key?: string } | undefined
    const key = account.key ?? made?.key
    return key === undefined ? [] : [{ pm: account.pm, name: account.name, key }]
  })
  return [...own, ...kept].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

/** Reads the file as it is now, so that what others wrote meanwhile stays; nothing is written where nothing changes. */
async function change(cx: Context, account: Account, edit: (text: string) => string): Promise<void> {
  const { pm, path, name } = account
  const host = cx.host(pm)
  const now = await run(host, readBytes(path))
  const there = now.exit === 0
  const text = there ? parseBytes(now.stdout) : ''
  if (findBlock(text) === 'broken')
    throw new PengxError('refused', `the end of pengx's block is gone from ${path} on ${name}`)
  const after = edit(text)
  if (!account.existed && after === '') return void (await run(host, { ...changes('rm', '-f', path), tag: cx.tag }))
  if (after === text) return
  await runAll(host, { ...batch(writeKeys(path, after, { existed: there }), { stopOnFailure: true }), tag: cx.tag })
}

function refuse(_params: Params, view: View): string | undefined {
  return view.pms().length === 0 ? 'there is no PM yet: add one first' : undefined
}

export const pmSpreadKeys: Operation<Params, Facts> = {
  name: 'pm.spreadKeys',
  title: 'spread SSH keys over',
  help: 'Writes the public SSH key of each PM into the authorized_keys of each, in a block of its own.',
  danger: 'safe',
  subjectKind: 'site',
  target: { param: '', kind: 'none' },
  params,
  subject: () => ({ kind: 'site', id: 'site', name: 'the site' }),
  locks: (_params, view) => [
    { key: 'site:keys', mode: 'exclusive' },
    ...view.pms().map((pm) => ({ key: `pm:${pm.uuid}`, mode: 'shared' as const })),
  ],
  refuse,
  gather,
  plan: (_params, facts) => [
    ...facts.accounts.flatMap((account) => (account.mark === null ? [] : [keyStep(account, account.mark)])),
    ...facts.accounts.filter((account) => account.writable).map((account) => writeStep(account, facts)),
  ],
  result: (_params, { accounts, kept }) => ({
    written: accounts.filter((account) => account.writable).map((account) => account.name),
    keys: accounts.filter((account) => account.key !== null || account.mark !== null).length + kept.length,
  }),
  touches: () => [],
}
