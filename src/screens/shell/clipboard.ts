/**
 * Copying from a terminal, over SSH too. OSC 52 asks the terminal itself (xterm, "Operating System Commands"); tmux takes
 * that from nobody by its standard, so there it is asked instead, and hands the text on; a console that has no clipboard
 * gets a file.
 */
export interface CopyWays {
  /** Gives a text to the tmux that this runs in. */
  tmux(text: string): Promise<void>
  /** Keeps a text and says where. */
  file(text: string): string
}

/** Puts a text where a person can paste it, and says where that is. */
export async function copyText(
  text: string,
  write: (sequence: string) => void,
  environment: Readonly<Record<string, string | undefined>>,
  ways?: CopyWays,
): Promise<string> {
  if (ways && environment.TMUX) {
    const taken = await ways.tmux(text).then(
      () => true,
      () => false,
    )
    if (taken) return 'to the clipboard (through tmux)'
  }
  if (ways && (environment.TERM === 'linux' || environment.TERM === 'dumb'))
    return `to ${ways.file(text)}: this terminal has no clipboard`
  const osc = `\x1b]52;c;${Buffer.from(text).toString('base64')}\x07`
  write(osc)
  if (!environment.TMUX) return 'to the clipboard (OSC 52)'
  write(`\x1bPtmux;${osc.replaceAll('\x1b', '\x1b\x1b')}\x1b\\`)
  return 'to the clipboard (OSC 52 through tmux: needs set-clipboard on)'
}
