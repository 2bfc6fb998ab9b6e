/** How `xl` reads its words: options, and the domain that one names. */
import type { Call } from '../../machine/program.ts'
import type { Domain, PmState } from '../../machine/state.ts'

/** `xl`'s own options of a subcommand, and the words that are none. `withValue` lists those that take one. */
export function splitOptions(argv: readonly string[], withValue: string): { options: string[]; words: string[] } {
  const options: string[] = []
  const words: string[] = []
  for (let index = 1; index < argv.length; index++) {
    const word = argv[index]!
    if (word.startsWith('--')) options.push(word)
    else if (word.startsWith('-') && word.length > 1) {
      for (let at = 1; at < word.length; at++) {
        options.push(word[at]!)
        if (withValue.includes(word[at]!)) {
          if (at === word.length - 1) index++
          break
        }
      }
    } else words.push(word)
  }
  return { options, words }
}

/** The domain that a word names, as libxl_domain_qualifier_to_domid reads it: digits are a domid. */
export function findDomain(pm: PmState, word: string): Domain | undefined {
  if (/^\d+$/.test(word)) return pm.domains.find((domain) => domain.domid === Number(word))
  return pm.domains.find((domain) => domain.name === word)
}

/** The domain, or what xl says of one that is not there and its exit status. */
export function needDomain(call: Call, word: string | undefined): Domain | number {
  if (word === undefined) {
    call.err(`'xl ${call.argv[0]}' requires at least 1 argument.\n\nUsage: xl [-vfN] ${call.argv[0]}\n`)
    return 1
  }
  const domain = findDomain(call.pm, word)
  if (domain) return domain
  if (/^\d+$/.test(word))
    call.err(`libxl: error: libxl_domain.c:344:libxl_domain_info: Domain ${word}:Unknown domain\n`)
  else call.err(`${word} is an invalid domain identifier (rc=-6)\n`)
  return 1
}
