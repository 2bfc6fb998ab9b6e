import { expect, test } from 'bun:test'
import { vdevNumber } from '../../src/model/disk.ts'

test('a virtual block device has the number that libxl gives it, and no other’s', () => {
  const numbers: Record<string, number> = {
    xvda: 51712,
    xvdb: 51728,
    xvdp15: 51967,
    // beyond 16 disks, or 16 partitions, the numbers are extended ones
    xvdq: (1 << 28) | (16 << 8),
    xvda16: (1 << 28) | 16,
    xvdaa: (1 << 28) | (26 << 8),
    hda: 768,
    hdb: 832,
    hdc: 5632,
    hdd63: 5759,
    sda: 2048,
    sdp15: 2303,
  }
  for (const [vdev, number] of Object.entries(numbers)) expect([vdev, vdevNumber(vdev)]).toEqual([vdev, number])
  for (const none of ['hde', 'hda64', 'sdq', 'sda16', 'xvda256', 'xvda01', 'xvd', 'vda', 'd1p0', '51728'])
    expect([none, vdevNumber(none)]).toEqual([none, undefined])
})
