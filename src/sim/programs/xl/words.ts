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

/** A domid that no domain has: xl takes it as it is, and libxl finds nothing. */
export function isGone(call: Call, word: string | undefined): word is string {
  return word !== undefined && /^[1-9]\d*$/.test(word) && !call.pm.domains.some(({ domid }) => domid === Number(word))
}

/** What libxl says of such a one where it has to know what kind of guest it is. */
export function noType(domid: string): string {
  return `libxl: error: libxl_dom.c:37:libxl__domain_type: unable to get domain type for domid=${domid}\n`
}

/** What it says where it looks for the file in which it keeps what the domain was built from. */
export function noUserdata(domid: string, why: 'Success' | 'No such file or directory'): string {
  return `libxl: error: libxl_dom.c:1216:libxl__userdata_path: unable to find domain info for domain ${domid}: ${why}\n`
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
