import { LISTS, SHELLS, SHORT_WORDS, type ShellName, VM_LISTS } from '../args.ts'
import type { Engine } from '../engine/engine.ts'
import { describeParams, type Field } from '../engine/jobs/params.ts'
import { snapshotsOf } from '../model/layer.ts'
import { FLAG_WORDS, kebab } from './flags.ts'
import { backedUpNames, callableNames } from './target.ts'

type View = Engine['view']

/**
 * Completion asks pengx itself (`pengx complete WORDS…`, what is typed last), so operations, their parameters and the
 * names of VMs are those of this store and this version. It reads the store and never looks at a host. A name may hold
 * anything, so none goes through a shell's own expansion (`compgen -W` would run what stands in `$()`).
 */
const SCRIPTS: Record<ShellName, string> = {
  // readline takes a word apart at = : @ and leaves its quotes and backslashes in; both are mended here
  bash: `_pengx() {
  local rest=\${COMP_LINE:0:COMP_POINT} words=() quote='' part i last breaks cut word
  for ((i = 0; i <= COMP_CWORD; i++)); do
    part=\${COMP_WORDS[i]}
    if [[ $i == 0 || $rest == [[:space:]]* ]]; then
      rest=\${rest#"\${rest%%[![:space:]]*}"}
      words+=('')
    fi
    [[ $i == "$COMP_CWORD" ]] && part=$rest
    words[\${#words[@]}-1]+=$part
    rest=\${rest#"$part"}
  done
  for i in "\${!words[@]}"; do
    word=\${words[i]}
    quote=''
    if [[ $word == [\\"\\']* ]]; then
      quote=\${word:0:1}
      word=\${word:1}
      word=\${word%"$quote"}
    fi
    words[i]=\${word//\\\\/}
  done
  last=\${words[\${#words[@]}-1]}
  breaks=\${COMP_WORDBREAKS//[^=:@]/}
  cut=''
  [[ -z $quote && -n $breaks ]] && cut=\${last%"\${last##*[$breaks]}"}
  COMPREPLY=()
  while IFS= read -r word; do
    word=\${word#"$cut"}
    case $quote in
      '') printf -v word %q "$word" ;;
      '"') word=\${word//\\\\/\\\\\\\\} word=\${word//\\"/\\\\\\"} word=\${word//\\$/\\\\$} word=\${word//\\\`/\\\\\\\`} ;;
      *) word=\${word//\\'/\\'\\\\\\'\\'} ;;
    esac
    COMPREPLY+=("$word")
  done < <(pengx complete "\${words[@]:1}" 2>/dev/null)
}
complete -F _pengx pengx
`,
  zsh: `#compdef pengx
_pengx() {
  local -a found
  found=("\${(@f)$(pengx complete "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  found=("\${(@)found:#}")
  compadd -a found
}
if [[ $funcstack[1] == _pengx ]]; then _pengx "$@"; else compdef _pengx pengx; fi
`,
  fish: `function __pengx_complete
  set -l words (commandline -opc)
  pengx complete $words[2..-1] (commandline -ct | string unescape) 2>/dev/null
end
complete -c pengx -f -a '(__pengx_complete)'
`,
}

export function completionScript(shell: ShellName): string {
  return SCRIPTS[shell]
}

const FLAGS = ['--demo', '--serve', '--db', '--read-only', '--ascii', '--screen-reader', '--help', '--version']
const COMMANDS = [
  ...[...LISTS, ...VM_LISTS, 'verify', 'gc', 'run', ...Object.keys(SHORT_WORDS)],
  ...['token', 'config', 'completion', 'help'],
]

/** What may stand where the last of these words is being typed, one a line; a name that holds a line end is left out. */
export function completions(engine: Engine, words: readonly string[]): string {
  const typed = words.at(-1) ?? ''
  const found = candidates(engine, withoutSites(words.slice(0, -1)), typed)
  return [...new Set(found)]
    .filter((word) => word.startsWith(typed) && !/[\r\n]/.test(word))
    .map((word) => `${word}\n`)
    .join('')
}

/** Without what stands before a command: hosts, and flags that name a site. */
function withoutSites(words: readonly string[]): readonly string[] {
  const at = words.findIndex((word, index) => COMMANDS.includes(word) && words[index - 1] !== '--db')
  return at < 0 ? [] : words.slice(at)
}

function candidates(engine: Engine, [command, ...before]: readonly string[], typed: string): readonly string[] {
  if (command === undefined) return typed.startsWith('-') ? FLAGS : COMMANDS
  if (command === 'run') return runCandidates(engine, before, typed)
  const short = Object.entries(SHORT_WORDS).find(([word]) => word === command)?.[1]
  if (short) return runCandidates(engine, [short.operation, ...before], typed)
  if (command === 'gc' && before.at(-1) === '--storlink') return engine.view.storlinks().map(({ name }) => name)
  if (command === 'completion') return before.length === 0 ? SHELLS : []
  if (typed.startsWith('-') && isOwn(command)) return OWN_FLAGS[command]
  if (typed.startsWith('-')) return isList(command) ? ['--json'] : command === 'token' ? ['--token-file'] : []
  if (command === 'verify') return namesOf(engine.view)
  if (!isVmList(command) || before.some((word) => !word.startsWith('-'))) return []
  return command === 'backups' ? backedUpNames(engine.view) : vmNames(engine.view)
}

const OWN_FLAGS = { verify: ['--deep', '--json'], gc: ['--dry-run', '--yes', '--storlink', '--json'] } as const
const isOwn = (word: string): word is keyof typeof OWN_FLAGS => Object.hasOwn(OWN_FLAGS, word)

/** What can be asked about, by its name. */
function namesOf(view: View): readonly string[] {
  const lists = [view.pms(), view.vms(), view.storlinks(), view.templates(), view.backups()]
  return lists.flatMap((list) => list.map(({ name }) => name))
}

const isVmList = (word: string) => VM_LISTS.some((list) => list === word)
const isList = (word: string) => isVmList(word) || LISTS.some((list) => list === word)

function runCandidates(engine: Engine, before: readonly string[], typed: string): readonly string[] {
  const operation = engine.operations.get(before.find((word) => !word.startsWith('-')) ?? '')
  if (operation === undefined) return typed.startsWith('-') ? ['--help'] : [...engine.operations.keys()]
  const fields = describeParams(operation.params)
  const { target } = operation
  const after = before.slice(before.indexOf(operation.name) + 1)
  const flagOf = (word: string | undefined) =>
    fields.find((field) => word === `--${kebab(field.name)}` || word === `--${field.name}`)
  const takesValue = (word: string | undefined) => (flagOf(word)?.kind ?? 'flag') !== 'flag'
  const isValue = (word: string, before: string | undefined) =>
    takesValue(before) || (flagOf(before) !== undefined && FLAG_WORDS.includes(word))
  const given = after.find((word, index) => !word.startsWith('-') && !isValue(word, after[index - 1]))
  const last = after.at(-1)
  if (takesValue(last)) return values(engine.view, flagOf(last)!, given)
  const [, flag, text] = /^(--[^=]+)=(.*)$/s.exec(typed) ?? []
  const set = text === undefined ? undefined : flagOf(flag)
  if (set) return values(engine.view, set, given).map((value) => `${flag}=${value}`)
  if (typed.startsWith('-')) {
    const own = fields.filter((field) => field.name !== target.param && !after.some((word) => gives(word, field)))
    return [...own.flatMap(flagsOf), '--yes', '--json', '--plan', '--help']
  }
  const field = fields.find(({ name }) => name === target.param)
  const targets = given !== undefined || field === undefined ? [] : values(engine.view, field, undefined)
  // A flag may stand alone: what comes next is its value or the target.
  return flagOf(last) ? [...FLAG_WORDS, ...targets] : targets
}

function flagsOf({ name, kind }: Field): readonly string[] {
  return kind === 'flag' ? [`--${kebab(name)}`, `--no-${kebab(name)}`] : [`--${kebab(name)}`]
}

/** A list may be given again and again, so it is never given yet. */
function gives(word: string, field: Field): boolean {
  const [flag = ''] = word.split('=')
  return field.kind !== 'list' && (flagsOf(field).includes(flag) || flag === `--${field.name}`)
}

/** What a parameter can be: its own choices, or things of the site by their names; `of` is the VM that is meant. */
function values(view: View, field: Field, of: string | undefined): readonly string[] {
  if (field.choices) return field.choices
  if (field.kind === 'flag') return FLAG_WORDS
  const vm = view.vms().find(({ uuid, name }) => name === of || uuid === of)
  switch (field.from) {
    case 'vm':
      return vmNames(view)
    case 'pm':
      return view.pms().map(({ name }) => name)
    case 'storlink':
      return view.storlinks().map(({ name }) => name)
    case 'template':
      return view.templates().map(({ name }) => name)
    case 'backup':
    case 'schedule':
      return callableNames(view, field.from)
    case 'bridge':
      return view.pms().flatMap(({ seen }) => seen.bridges ?? [])
    case 'iso':
      return view.pms().flatMap(({ seen }) => (seen.isos ?? []).map(({ path }) => path))
    case 'disk':
      return (vm?.disks ?? []).map(({ vdev }) => vdev)
    case 'nic':
      return (vm?.nics ?? []).map(({ name }) => name)
    case 'snapshot':
      return vm ? snapshotsOf(vm).map(({ name }) => name) : []
    case 'config':
      return configsIn(view).flatMap((file) => (vm && file.vm !== vm.uuid ? [] : file.path))
    case 'found':
      return foundNames(view)
  }
  return []
}

function vmNames(view: View): readonly string[] {
  return view.vms().map(({ name }) => name)
}

function configsIn(view: View) {
  return view.pms().flatMap(({ seen }) => seen.configs ?? [])
}

/** Domains and configuration files that nobody has taken under care. */
function foundNames(view: View): readonly string[] {
  const vms = view.vms().filter(({ origin }) => origin === 'found')
  const configs = configsIn(view).filter(({ vm }) => vm === undefined)
  return [...vms.map(({ name }) => name), ...configs.map(({ path }) => path)]
}
