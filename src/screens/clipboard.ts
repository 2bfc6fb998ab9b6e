/**
 * Copying from a terminal, over SSH too: OSC 52 asks the terminal itself (xterm, "Operating System Commands"). tmux
 * takes it where `set-clipboard` is on, and hands a wrapped one through where `allow-passthrough` is.
 */
export function copyToTerminal(
  text: string,
  write: (sequence: string) => void,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const osc = `\x1b]52;c;${Buffer.from(text).toString('base64')}\x07`
  write(osc)
  if (!environment.TMUX) return 'to the clipboard (OSC 52)'
  write(`\x1bPtmux;${osc.replaceAll('\x1b', '\x1b\x1b')}\x1b\\`)
  return 'to the clipboard (OSC 52 through tmux: needs set-clipboard on)'
}
