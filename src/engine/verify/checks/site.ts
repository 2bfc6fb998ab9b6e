import { type Check, finding, isBusy, subjectOf } from '../facts.ts'

/** PMs, jobs, storlinks and backups by themselves. */

export const checkPms: Check = ({ away }) =>
  away.map(({ pm, why }) =>
    finding('PM_AWAY', subjectOf('pm', pm), `${pm.name} was not compared: ${why}`, { pm: pm.uuid }),
  )

export const checkJobs: Check = ({ view }) =>
  view
    .jobs()
    .filter(({ state }) => state === 'stuck')
    .map(({ id, number, operation, subject, message }) =>
      finding(
        'JOB_STUCK',
        { kind: 'job', id, name: `job ${number}` },
        `job ${number} (${operation} on ${subject.name}): ${message}`,
      ),
    )

export const checkPlaces: Check = ({ places, view }) =>
  places.flatMap(({ storlink: { id, name, link }, pm, problem }) => {
    if (problem === undefined) return []
    const text = `storlink ${name} (${link}) is not there on ${view.getPm(pm)?.name ?? pm}: ${problem}`
    return [finding('STORLINK_AWAY', { kind: 'storlink', id: String(id), name }, text, { pm, path: link })]
  })

/** Drafts of configurations: what a write leaves that was cut short. A job that is at work may be about to give it its name. */
export const checkDrafts: Check = (facts) =>
  [...facts.pms.values()].flatMap(({ pm, drafts }) =>
    drafts.flatMap((path) => {
      const [, uuid = ''] = /\/\.([^/]+)\.cfg\.new$/.exec(path) ?? []
      if (facts.view.jobOn('vm', uuid) !== undefined) return []
      const text = `${path} on ${pm.name}: a write of a configuration was cut short; it may be removed by hand`
      return [finding('LEFTOVER', subjectOf('pm', pm), text, { pm: pm.uuid, path })]
    }),
  )

export const checkBackups: Check = (facts) =>
  facts.view.backups().flatMap((backup) => {
    const subject = subjectOf('backup', backup)
    if (backup.state === 'verified' || isBusy(facts, subject)) return []
    const title = `backup ${backup.name} of ${backup.vmName}`
    if (backup.state === 'failed')
      return [finding('BACKUP_FAILED', subject, `${title}: ${backup.problem ?? 'it is bad'}`)]
    const repair = { operation: 'backup.verify', params: { backup: backup.uuid } }
    return [finding('BACKUP_UNVERIFIED', subject, `${title} was never read back`, { repair })]
  })
