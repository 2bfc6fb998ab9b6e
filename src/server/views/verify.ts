import type { Finding, VerifyReport } from '../../model/finding.ts'
import { list, type Shape } from './shape.ts'

/** What a comparison of the site has found. */
interface Told {
  readonly finding: Finding
  readonly report: VerifyReport
}

const rowOf = ({ finding, report }: Told) => report.codes.find(({ code }) => code === finding.code)

const findingShape: Shape<Told> = {
  name: 'finding',
  fields: [
    { kind: 'text', name: 'code', help: 'the kind of drift: docs/verify.md', get: ({ finding }) => finding.code },
    { kind: 'text', name: 'severity', help: 'danger, wrong or note', get: ({ finding }) => finding.severity },
    {
      kind: 'text',
      name: 'subject_kind',
      help: 'pm, vm, storlink, template, backup or job',
      get: ({ finding }) => finding.subject.kind,
    },
    { kind: 'text', name: 'subject_id', get: ({ finding }) => finding.subject.id },
    { kind: 'text', name: 'subject_name', get: ({ finding }) => finding.subject.name },
    { kind: 'text', name: 'pm', help: 'UUID of the PM where it was seen', get: ({ finding }) => finding.pm },
    { kind: 'text', name: 'path', get: ({ finding }) => finding.path },
    { kind: 'text', name: 'text', help: 'what it is, in a sentence', get: ({ finding }) => finding.text },
    { kind: 'text', name: 'means', get: (told) => rowOf(told)?.means },
    { kind: 'text', name: 'help', help: 'what to do', get: (told) => rowOf(told)?.help },
    {
      kind: 'text',
      name: 'repair',
      help: 'the operation that repairs it; nothing where none is safe',
      get: ({ finding }) => finding.repair?.operation,
    },
    {
      kind: 'text',
      name: 'repair_params',
      help: 'its parameters, as JSON',
      get: ({ finding }) => finding.repair && JSON.stringify(finding.repair.params),
    },
  ],
}

export const verifyShape: Shape<VerifyReport> = {
  name: 'verify',
  fields: [
    { kind: 'time', name: 'at', get: ({ at }) => at },
    { kind: 'flag', name: 'clean', get: ({ findings }) => findings.length === 0 },
    { kind: 'number', name: 'pms', help: 'that answered', get: ({ counts }) => counts.pms },
    { kind: 'number', name: 'vms', get: ({ counts }) => counts.vms },
    { kind: 'number', name: 'volumes', help: 'that lie in storlinks', get: ({ counts }) => counts.volumes },
    { kind: 'number', name: 'images', help: 'whose headers were read', get: ({ counts }) => counts.images },
    list('findings', findingShape, (report) => report.findings.map((finding) => ({ finding, report }))),
  ],
}
