import { afterAll, beforeAll, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { until } from '../support/until.ts'

/**
 * The README's lines about the API, as they are printed there, by a shell and curl against the server that it starts.
 * Of what is printed only the address after `API=` is another; what curl says beside the answer comes from a .curlrc.
 */
const ROOT = resolve(import.meta.dir, '../..')
const README = readFileSync(join(ROOT, 'README.md'), 'utf8')
const CURL = 'curl'

/** The blocks of a chapter, in their order. */
function blocksOf(chapter: string): string[] {
  const text = README.split(/^## /m).find((part) => part.startsWith(`${chapter}\n`)) ?? ''
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1]!)
}

const [start = '', lines = ''] = blocksOf('The API')
const home = mkdtempSync(join(tmpdir(), 'pengx-readme-'))
const env = { PATH: process.env.PATH, HOME: home, LANG: 'C.UTF-8' }

let server: Bun.Subprocess<'ignore', 'ignore', 'pipe'>
let api = ''
beforeAll(async () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: { start: string } }
  expect(start).toStartWith('npm start -- ')
  const words = [...scripts.start.split(' ').slice(1), ...start.trim().split(' ').slice(3)]
  const argv = [process.execPath, ...words, '--listen', '127.0.0.1:0']
  server = Bun.spawn(argv, { cwd: ROOT, env, stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  let said = ''
  for await (const part of server.stderr) {
    said += new TextDecoder().decode(part)
    api = /serving (http:\S+),/.exec(said)?.[1] ?? ''
    if (api !== '') break
  }
  writeFileSync(join(home, '.curlrc'), 'silent\nshow-error\nwrite-out = "%{stderr}%{http_code} %{method} %{url}\\n"\n')
})
afterAll(async () => {
  server.kill()
  await server.exited
  rmSync(home, { recursive: true, force: true })
})

test('ten lines of curl, each answered well', async () => {
  expect(lines.match(new RegExp(`\\b${CURL} `, 'g'))).toHaveLength(10)
  const there = lines.replace(/^API=http:\/\/127\.0\.0\.1:8000$/m, `API=${api}`)
  expect(there).not.toBe(lines)
  const shell = Bun.spawn(['sh', '-eu', '-c', there], { env, stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' })
  const [out, err] = await Promise.all([new Response(shell.stdout).text(), new Response(shell.stderr).text()])
  const web01 = /<vm id="([-0-9a-f]{36})">\s*<name>web01</.exec(out)?.[1]
  const vm = `${api}/vms/${web01}/`
  expect(err.trimEnd().split('\n')).toEqual([
    `200 GET ${api}/pms/all/`,
    `200 GET ${api}/vms/`,
    `200 GET ${api}/vms/?format=json`,
    `200 GET ${api}/vms/?format=json`,
    `200 GET ${vm}`,
    `200 POST ${vm}reboot/`,
    `200 POST ${vm}shutdown/`,
    `202 POST ${vm}start/`,
    `200 GET ${api}/jobs/`,
    `200 GET ${api}/metrics`,
  ])
  expect(await shell.exited).toBe(0)
  const jobsNow = async () => {
    const answer = await fetch(`${api}/jobs/?format=json`)
    return ((await answer.json()) as { jobs: { operation: string; state: string }[] }).jobs
  }
  await until(async () => (await jobsNow()).every(({ state }) => state !== 'queued' && state !== 'running'))
  expect((await jobsNow()).map(({ operation, state }) => `${operation} ${state}`).sort()).toEqual([
    'vm.reboot done',
    'vm.shutdown done',
    'vm.start done',
  ])
})
