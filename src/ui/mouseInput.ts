/**
 * The mouse as a terminal reports it (xterm, "Mouse Tracking", SGR coordinates). Ink drops every sequence that is no key,
 * so clicks are taken out of what it reads before it reads it.
 */
export interface Click {
  readonly button: 'left' | 'wheelUp' | 'wheelDown'
  /** Counted from 0. */
  readonly column: number
  readonly row: number
}

const BUTTONS: Readonly<Record<number, Click['button']>> = { 0: 'left', 64: 'wheelUp', 65: 'wheelDown' }
const REPORT = /\x1b\[<(\d+);(\d+);(\d+)([Mm])/g

/** Buttons that were pressed, and the text without the reports. */
function takeClicks(text: string): { readonly clicks: readonly Click[]; readonly rest: string } {
  const clicks: Click[] = []
  const rest = text.replace(REPORT, (_report, code: string, column: string, row: string, end: string) => {
    const button = BUTTONS[Number(code)]
    if (button && end === 'M') clicks.push({ button, column: Number(column) - 1, row: Number(row) - 1 })
    return ''
  })
  return { clicks, rest }
}

export function mouseSequence(on: boolean): string {
  return on ? '\x1b[?1000h\x1b[?1006h' : '\x1b[?1006l\x1b[?1000l'
}

/** The same stream, whose clicks go elsewhere. */
export function withoutClicks(stdin: NodeJS.ReadStream, clicked: (click: Click) => void): NodeJS.ReadStream {
  const read = () => {
    const data: unknown = stdin.read()
    if (typeof data !== 'string' || !data.includes('\x1b[<')) return data
    const { clicks, rest } = takeClicks(data)
    for (const click of clicks) clicked(click)
    return rest
  }
  return new Proxy(stdin, {
    get(target, name) {
      if (name === 'read') return read
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
