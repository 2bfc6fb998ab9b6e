// Volume groups of a suite's own, each on a file of dom0's that a loop device carries.
import { type LabHost, sh } from './ssh.ts'

const fileOf = (group: string): string => `/var/tmp/${group}.img`

export async function makeGroup(host: LabHost, group: string, sizeMib: number): Promise<void> {
  const file = fileOf(group)
  await sh(host, `truncate -s ${sizeMib}M ${file}; vgcreate -q ${group} "$(losetup -f --show ${file})"`)
}

/** With all its volumes, the device and the file. */
export async function removeGroup(host: LabHost, group: string): Promise<void> {
  const file = fileOf(group)
  await sh(host, `vgremove -f -y -q ${group}; losetup -d "$(losetup -n -O NAME -j ${file})"; rm -f ${file}`)
}
