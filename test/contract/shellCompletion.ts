import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import type { openShell, Shell } from '../support/shell.ts'

/** What holds for completion in every shell that there is a script for. */
export function shellCompletion(name: Parameters<typeof openShell>[0], open: () => Promise<Shell>): void {
  describe(`completion in ${name}`, () => {
    let shell: Shell
    beforeAll(async () => {
      shell = await open()
    })
    afterAll(() => shell.close())

    test('completes operations, names and values', async () => {
      await shell.completes('pengx run vm.sta', 'run vm.start ')
      await shell.completes('pengx run template.delete d', 'debian12 ')
      await shell.completes('pengx run vm.create x --storlink i', 'images ')
      await shell.completes('pengx run vm.create x --type=h', '--type=hvm ')
      await shell.offers('pengx run disk.grow 한국어-vm --disk xvd', 'xvda', 'xvdq')
    })

    test('flags both ways, and what they take', async () => {
      await shell.completes('pengx run snapshot.restore 한국어-vm --no-k', '--no-keep ')
      await shell.completes('pengx run snapshot.restore 한국어-vm --keep=f', '--keep=false ')
      await shell.completes('pengx run snapshot.restore 한국어-vm --keep f', '--keep false ')
      await shell.offers('pengx run snapshot.restore 한국어-vm --keep ', 'true', 'yes')
    })

    test('names with blanks, colons and quotes, as one word each', async () => {
      await shell.completes('pengx run vm.start web', 'web\\ 01 ')
      await shell.completes('pengx run vm.start db:o', 'db:old ')
      await shell.completes('pengx run vm.start o', "o\\'clock ")
    })

    test('what stands in a name is not run', async () => {
      await shell.offers('pengx run vm.start ', 'db:old', 'touch')
      expect(existsSync(shell.trap)).toBe(false)
    })
  })
}
