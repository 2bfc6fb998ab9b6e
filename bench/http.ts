import { type Figure, inTurns, timed } from './measure.ts'
import { makeStore, PENGX } from './site.ts'

/** GET /vms/ from a server whose store holds N VMs, as XML and as JSON, beside the smallest of its answers. */
export async function measureHttp(): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const vmCount of [100, 1000, 10_000]) {
    const path = await makeStore(vmCount)
    const child = Bun.spawn([PENGX, '--db', path, '--serve', '--no-auth', '--listen', '127.0.0.1:0'], {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    })
    try {
      const url = await urlOf(child.stderr)
      const get = (row: string) => () => timed(() => read(`${url}${row}`))
      const { xml, json, health } = await inTurns(vmCount > 1000 ? 15 : 40, {
        xml: get('/vms/'),
        json: get('/vms/?format=json'),
        health: get('/healthz'),
      })
      const beside = { what: 'GET /healthz', samples: health }
      figures.push({ what: `GET /vms/ XML, ${vmCount} VMs`, unit: 'ms', samples: xml, beside })
      figures.push({ what: `GET /vms/ JSON, ${vmCount} VMs`, unit: 'ms', samples: json, beside })
    } finally {
      child.kill('SIGTERM')
      await child.exited
    }
  }
  return figures
}

async function read(url: string): Promise<void> {
  const response = await fetch(url)
  const body = await response.text()
  if (response.status !== 200) throw new Error(`${url} answered ${response.status}: ${body.slice(0, 300)}`)
}

export async function urlOf(stderr: ReadableStream<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder()
  let said = ''
  for await (const part of stderr) {
    said += decoder.decode(part, { stream: true })
    const found = /serving (http:\S+?),? /.exec(said)?.[1]
    if (found) return found
  }
  throw new Error(`the server did not start: ${said}`)
}
