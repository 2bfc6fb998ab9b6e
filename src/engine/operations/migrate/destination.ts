import { uuidOfMachineId } from '../../../lib/ids.ts'
import { loadedCds } from '../../../model/drive.ts'
import { PengxError, toPengxError } from '../../../model/error.ts'
import type { Pm } from '../../../model/pm.ts'
import type { Vm, VmType } from '../../../model/vm.ts'
import { batch } from '../../host/batch.ts'
import { parseDestination } from '../../host/destination.ts'
import type { Host, Output } from '../../host/host.ts'
import { run, runBatch } from '../../host/run.ts'
import type { Context } from '../../jobs/operation.ts'
import { fileExists } from '../../tools/files.ts'
import { parseMachineId } from '../../tools/system.ts'
import { HOST_KEY_TYPES, hostKeyFile, knock, parseHostKey, sshTo } from '../../tools/xl/migrate.ts'
import type { XenInfo } from '../../tools/xl/xl.ts'
import { configPathFor } from '../vm/domain.ts'

/** What is looked at on the PM that a VM is to come to, before anything is done. Each refusal says what would help. */
const refused = (text: string) => new PengxError('refused', text)

/** No domain and no configuration of it is there, nor of another by its name. */
export async function needFree(cx: Context, vm: Vm, target: Pm): Promise<void> {
  const host = cx.host(target.uuid)
  const domain = (await cx.look(target.uuid)).find((one) => one.uuid === vm.uuid || one.name === vm.domainName)
  if (domain) {
    const which =
      domain.uuid === vm.uuid ? `it runs there as domain ${domain.domid}` : `domain ${domain.domid} there has that name`
    throw refused(`${vm.name} cannot go to ${target.name}: ${which}`)
  }
  const path = configPathFor(vm.uuid)
  const own = await run(host, { ...fileExists(path), timeoutMs: 60_000 }, cx.signal)
  const files = await cx.hypervisor.configFiles(host, cx.signal)
  const file = files.find((one) => one.uuid === vm.uuid || one.name === vm.domainName)
  if (own.exit !== 0 && !file) return
  const what = file && file.uuid !== vm.uuid ? 'the configuration of another VM of that name' : 'a configuration of it'
  throw refused(`${vm.name} cannot go to ${target.name}: ${file?.path ?? path} there is ${what}; take that away first`)
}

/** What a VM is booted from beside its disks: kernels, a CD image. */
export async function needBootFiles(cx: Context, vm: Vm, target: Pm): Promise<void> {
  const files = [
    ...loadedCds(vm).map((path) => ({ path, what: 'the CD in its drive', hint: 'eject it first, or put it there' })),
    { path: vm.boot.kernel, what: 'its kernel', hint: 'put it there, or it does not come back from its next reboot' },
    { path: vm.boot.ramdisk, what: 'its ramdisk', hint: 'put it there, or it does not come back from its next reboot' },
  ].flatMap(({ path, ...rest }) => (path?.startsWith('/') ? [{ path, ...rest }] : []))
  if (files.length === 0) return
  const outputs = await runBatch(cx.host(target.uuid), batch(files.map(({ path }) => fileExists(path))), cx.signal)
  const missing = files.find((_file, index) => outputs[index]?.exit !== 0)
  if (missing) throw refused(`${vm.name}: ${missing.what} (${missing.path}) is not on ${target.name}: ${missing.hint}`)
}

/** Beside its memory Xen needs some for tables: about a hundredth, and more for an HVM guest. */
function neededMib(memoryMib: number, type: VmType): number {
  return memoryMib + Math.ceil(memoryMib / 128) + (type === 'pv' ? 4 : 16)
}

/** Both hypervisors can do it: of the same age, with the same processors, and with room. Says what was found. */
export async function needAbilities(
  cx: Context,
  vm: { readonly name: string; readonly type: VmType; readonly memoryMib: number },
  source: Pm,
  target: Pm,
): Promise<string[]> {
  const [here, there] = await Promise.all(
    [source, target].map((pm) => cx.hypervisor.abilities(cx.host(pm.uuid), cx.signal)),
  )
  const reason = refuseAbilities(vm.type, here!, there!, source.name, target.name)
  if (reason) throw refused(`${vm.name}: ${reason}`)
  const needed = neededMib(vm.memoryMib, vm.type)
  if (there!.freeMib >= needed) {
    const versions = `Xen ${there!.xenVersion} on ${target.name}, ${here!.xenVersion} on ${source.name}`
    return [versions, `${target.name} has ${there!.freeMib} MiB of memory free, and it needs ${needed}`]
  }
  const text = `${vm.name} needs ${needed} MiB, and ${target.name} has ${there!.freeMib} MiB free`
  if (there!.dom0IsFixed) throw new PengxError('noSpace', text)
  return [`${text}: xl has to take memory from its dom0`]
}

function refuseAbilities(
  type: VmType,
  here: XenInfo,
  there: XenInfo,
  source: string,
  target: string,
): string | undefined {
  const [own, other] = [here.xenVersion, there.xenVersion].map((text) => text.split('.').map(Number.parseFloat))
  if (own![0]! > other![0]! || (own![0] === other![0] && own![1]! > other![1]!))
    return `${target} has Xen ${there.xenVersion}, which is older than the ${here.xenVersion} of ${source}: no Xen takes guests of a newer one`
  const kind = type === 'pv' ? 'pv' : 'hvm'
  if (there.virtCaps.length > 0 && !there.virtCaps.includes(kind))
    return `the Xen of ${target} runs no ${type.toUpperCase()} guests (virt_caps: ${there.virtCaps.join(' ')})`
  const follows = type === 'pv' ? ['shadow'] : ['hap', 'shadow']
  if (here.virtCaps.length > 0 && !follows.some((cap) => here.virtCaps.includes(cap)))
    return `the Xen of ${source} is built without shadow paging (virt_caps: ${here.virtCaps.join(' ')}), so it cannot follow what a ${type.toUpperCase()} guest writes while its memory is sent: shut it down, and it migrates`
  const lacking = here.cpuFeatures.filter((name) => !there.cpuFeatures.includes(name))
  if (there.cpuFeatures.length > 0 && lacking.length > 0)
    return `the processors of ${target} lack what those of ${source} have, and the guest may be using it: ${lacking.join(', ')}`
  return undefined
}

export interface Login {
  readonly ssh: readonly [string, ...string[]]
  readonly address: string
}

/**
 * How the source logs in to the target without a question: xl goes that way. Each address that the target may have is tried;
 * the right one is where the machine of that identity answers.
 */
export async function needLogin(cx: Context, source: Pm, target: Pm, given: string | undefined): Promise<Login> {
  const ssh = sshTo(await hostKeyOf(cx.host(target.uuid), cx.signal))
  const candidates = given === undefined ? addressesOf(target) : [given]
  const host = cx.host(source.uuid)
  const knocks = await Promise.all(
    candidates.map(async (address) => {
      const answer = await run(host, { ...knock(ssh, address), timeoutMs: 45_000 }, cx.signal).catch((error) => ({
        exit: 255,
        stdout: '',
        stderr: toPengxError(error).message,
      }))
      return { address, problem: problemOf(answer, target) }
    }),
  )
  const found = knocks.find(({ problem }) => problem === undefined)
  if (found) return { ssh, address: found.address }
  const said = knocks.map(({ address, problem }) => `${address}: ${problem}`).join('; ')
  const hint = /Permission denied/.test(said)
    ? 'pm.spreadKeys gives each PM the keys of the others'
    : '--address says where it is reached'
  throw refused(
    `${source.name} does not log in to ${target.name} over SSH, and xl migrate goes that way (${said || 'it has no address'}): ${hint}`,
  )
}

function problemOf(answer: Output, target: Pm): string | undefined {
  const ids = answer.stdout.split('\n').map(parseMachineId)
  if (!ids.some((id) => id !== undefined)) return answer.stderr.trim().split('\n').at(-1) || `exit ${answer.exit}`
  if (!ids.some((id) => id !== undefined && uuidOfMachineId(id) === target.uuid)) return 'another machine answers there'
  return answer.exit === 0 ? undefined : 'no xl is found there'
}

/** As pengx reaches it, then as its cards are called, then by its name. */
function addressesOf({ destination, seen, name }: Pm): readonly string[] {
  const reached = parseDestination(destination)
  const first =
    reached.kind === 'ssh' ? [`${reached.address.user ? `${reached.address.user}@` : ''}${reached.address.host}`] : []
  const cards = (seen.interfaces ?? []).map((card) => card.ip).filter((ip) => ip !== '')
  return [...new Set([...first, ...cards, ...(/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(name) ? [name] : [])])]
}

/** The key that the target has, read over pengx's own connection to it. */
async function hostKeyOf(host: Host, signal: AbortSignal): Promise<string | undefined> {
  const outputs = await runBatch(host, batch(HOST_KEY_TYPES.map(hostKeyFile)), signal)
  return outputs.map((output) => parseHostKey(output.stdout)).find((key) => key !== undefined)
}
