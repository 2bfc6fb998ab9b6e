const SAFE = /^[A-Za-z0-9_@%+=:,./-]+$/

/** One word for a POSIX shell: bare where that is safe, else in single quotes (POSIX.1 2.2.2). */
function quoteWord(word: string): string {
  if (SAFE.test(word)) return word
  return `'${word.replaceAll("'", `'\\''`)}'`
}

/** An argv as one shell command line. The only place where words become shell text. */
export function quoteArgv(argv: readonly string[]): string {
  return argv.map(quoteWord).join(' ')
}
