import { LISTS, type ShellName } from '../args.ts'
import type { Engine } from '../engine/engine.ts'
import { describeParams } from '../engine/jobs/params.ts'
import { kebab } from './flags.ts'

/**
 * Completion asks pengx itself (`pengx complete WORDS…`, what is typed last), so operations, their parameters and the
 * names of VMs are those of this store and this version. It reads the store and never looks at a host. A name may hold
 * anything, so none goes through a shell's own expansion (`compgen -W` would run what stands in `$()`).
 */
const SCRIPTS: Record<ShellName, string> = {
  bash: `_pengx() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    [[ $word == "\${COMP_WORDS[COMP_CWORD]}"* ]] && COMPREPLY+=("$(printf %q "$word")")
  done < <(pengx complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _pengx pengx
`,
  zsh: `#compdef pengx
_pengx() {
  local -a words_here
  words_here=("\${(@f)$(pengx complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a words_here
}
compdef _pengx pengx
`,
  fish: `complete -c pengx -f -a '(pengx complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'
`,
}

export function completionScript(shell: ShellName): string {
  return SCRIPTS[shell]
}

const FLAGS = ['--demo', '--serve', '--db', '--read-only', '--ascii', '--help', '--version']

/** What may stand where the last of these words is being typed, one a line. */
export function completions(engine: Engine, words: readonly string[]): string {
  return [...candidates(engine, words.slice(0, -1), words.at(-1) ?? '')].map((word) => `${word}\n`).join('')
}

function candidates(engine: Engine, before: readonly string[], typed: string): readonly string[] {
  const at = before.indexOf('run')
  if (at < 0) return typed.startsWith('-') ? FLAGS : [...LISTS, 'run', 'token', 'config', 'completion']
  const operation = engine.operations.get(before[at + 1] ?? '')
  if (operation === undefined) return [...engine.operations.keys()]
  const fields = describeParams(operation.params)
  if (typed.startsWith('-'))
    return [...fields.map((field) => `--${kebab(field.name)}`), '--yes', '--json', '--plan', '--help']
  const flag = fields.find((field) => `--${kebab(field.name)}` === before.at(-1))
  if (flag?.choices) return flag.choices
  return names(engine, flag?.from ?? (flag ? 'text' : operation.target.kind))
}

function names(engine: Engine, kind: string): readonly string[] {
  const { view } = engine
  if (kind === 'vm') return view.vms().map((vm) => vm.name)
  if (kind === 'pm') return view.pms().map((pm) => pm.name)
  if (kind === 'storlink') return view.storlinks().map((link) => String(link.id))
  if (kind === 'template') return view.templates().map((template) => template.name)
  if (kind === 'bridge') return [...new Set(view.pms().flatMap((pm) => pm.seen.bridges ?? []))]
  return []
}
