import { version } from '../package.json'

/**
 * argv → config → engine → screens, server, or one command. Everything is imported when it is needed and not before:
 * `--version` must not pay for Ink, nor `vms` for the server.
 */
const argv = process.argv.slice(2)
if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`pengx ${version}\n`)
} else {
  const { start } = await import('./start.ts')
  await start(argv, version)
}
