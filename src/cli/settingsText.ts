/** What `pengx config` prints: a settings file that says what is in force, and before it where things lie. */
export function formatInForce(
  paths: Readonly<Record<'settingsPath' | 'storePath' | 'tokenPath' | 'logPath' | 'knownHostsPath', string>>,
  settings: string,
): string {
  const lines = [
    `# settings      ${paths.settingsPath}`,
    `# store         ${paths.storePath}`,
    `# API token     ${paths.tokenPath}`,
    `# log           ${paths.logPath}`,
    `# known hosts   ${paths.knownHostsPath}`,
  ]
  return `${lines.join('\n')}\n\n${settings}`
}
