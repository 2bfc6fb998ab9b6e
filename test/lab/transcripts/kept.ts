// Transcripts that no command makes anew, each with the reason: what they hold is rare, wants more than one host that has
// just booted, or is a dialogue. A new one of theirs is recorded by hand in the form of test/support/transcript.ts.

/** By the name of the file, without its ending. */
export const KEPT: Readonly<Record<string, string>> = {
  'lvm-2.03-groups':
    'groups of other machines, exported, torn, locked by a sanlock that is gone: made one by one by hand',
  'lvm-2.03-tags': 'on the groups of lvm-2.03-groups',
  'qemu-10.0-dm-log-undone': 'a QEMU that libxl gave up while it started: once in some ten starts on a busy host',
  'qmp-7.2-blockstats': 'a dialogue with the monitor of a QEMU, typed by hand',
  'qmp-7.2-query-block': 'a dialogue with the monitor of a QEMU, typed by hand',
  'sanlock-3.8': 'two hosts in one lockspace, and one of them cut off',
  'xl-4.17-error-hotplug-script-timeout-phy': 'a host so busy that a hotplug script takes longer than 40 s',
  'xl-4.17-migrate': 'two hosts, a hypervisor with shadow paging, and a line between them that breaks',
  'xl-4.20-error-device-model-late': 'with qemu-10.0-dm-log-undone',
}
