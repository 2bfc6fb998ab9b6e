import type { Command, Host, Process } from '../../src/engine/host/host.ts'

/** A host whose commands end when the test says so. */
export function heldHost() {
  const open: { command: Command; end: (exit: number) => void; lose: (error: Error) => void }[] = []
  const host: Host = {
    name: 'alpha',
    open: async (command) => {
      if (command.argv[0] === 'missing') throw new Error('missing is not installed')
      const exited = Promise.withResolvers<number>()
      open.push({ command, end: exited.resolve, lose: exited.reject })
      const empty = () => new ReadableStream<Uint8Array>({ start: (controller) => controller.close() })
      return { stdin: new WritableStream(), stdout: empty(), stderr: empty(), exited: exited.promise } satisfies Process
    },
    connect: async () => {
      throw new Error('not here')
    },
    close: async () => undefined,
  }
  return { host, open }
}
