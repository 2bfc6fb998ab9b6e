/** `pengx --help`. */
export const HELP = `pengx: terminal interface, XML API and command line for plain Xen hosts (xl)

usage:
  pengx                              the terminal interface: this machine if it is a Xen host, and the PMs known
  pengx root@xen1 root@xen2:2222     the same, with these PMs over SSH
  pengx --demo[=N]                   a simulated site of N VMs; touches nothing
  pengx --serve [--listen HOST:PORT|unix:PATH] [--no-auth] [--token-file PATH] [--demo[=N]]
                                     the XML API, by default on 127.0.0.1:8000
  pengx pms|vms|perf|jobs|storlinks|templates|schedules [--json]
  pengx disks|nics|snapshots VM [--json]
  pengx backups [VM] [--json]        of all VMs, or of one, which may be gone
                                     print and exit
  pengx verify [NAME|UUID|PATH|CODE …] [--deep] [--json]
                                     compare what is written down with images, configurations and Xen (docs/verify.md)
  pengx gc [--dry-run | --yes] [--storlink NAME] [--json]
                                     why each volume in the storlinks stays, and what jobs have left; --yes takes that away
  pengx run OPERATION TARGET [--name value …] [--plan] [--yes] [--json]
                                     do one thing and wait for it, as in: pengx run vm.start web01
  pengx import FILE… --storlink NAME [--name value …]
                                     make a VM of disk images or an OVA on its PM (the same as run vm.import)
  pengx export VM TO                 copy a VM into a new directory or an OVA on its PM (the same as run vm.export)
  pengx run                          every operation and what it takes
  pengx token                        print the API token of this store
  pengx config                       print the settings that are in force
  pengx completion bash|zsh|fish     print a completion script
  pengx --version | --help

with any of them:
  --db FILE      the store (default $XDG_STATE_HOME/pengx/pengx.db; root: /var/lib/pengx/pengx.db)
  --read-only    look, change nothing
  --screen-reader  words in place of frames, in the terminal interface (or INK_SCREEN_READER=true)
  --ascii        no characters beyond ASCII for frames and marks

A VM is named by its name, its UUID or the first 8 digits of that.
exit status: 0 done, 1 the operation failed or verify has found something, 2 wrong usage, 3 refused, 4 not reachable
`
