import { BEFORE, INSTALLED, OF_RUNNING, OTHER_WAY, UNNAMED } from '../../support/sites/snapshotSite.ts'
import { DB, LOST, WEB } from '../site.ts'
import { ASYNC, type Exchanges, MISSING, WITH_BODY } from './exchange.ts'

/** What is asked of each row about snapshots. */

const TAKE = `<snapshot>
  <name>before the upgrade</name>
  <storlink>1</storlink>
  <desc>all was well</desc>
</snapshot>`

const GONE = '<snapshot>\n  <keep>False</keep>\n</snapshot>'
const JSON_BODY = { 'Content-Type': 'application/json', Accept: 'application/json' }

const of = (vm: string, snapshot: string) => `/vms/${vm}/snapshots/${snapshot}/`
const startOf = (vm: string, snapshot: string) => `/vms/${vm}/start/snapshots/${snapshot}/`
const disksOf = (vm: string, snapshot: string) => `/vms/${vm}/disks/snapshots/${snapshot}/`

export const SNAPSHOT_EXCHANGES: Exchanges = {
  'POST /vms/:vm_uuid/snapshots/': [
    { title: 'the document’s example', path: `/vms/${WEB}/snapshots/`, body: TAKE },
    { title: 'of one that is shut down', path: `/vms/${DB}/snapshots/`, body: '<snapshot><name>a</name></snapshot>' },
    { title: 'as JSON', path: `/vms/${WEB}/snapshots/`, body: '{"name":"second","desc":""}', headers: JSON_BODY },
    { title: 'at once', path: `/vms/${WEB}/snapshots/`, body: TAKE, headers: ASYNC },
    { title: 'no name', path: `/vms/${WEB}/snapshots/`, body: '<snapshot><name></name></snapshot>' },
    { title: 'no good name', path: `/vms/${WEB}/snapshots/`, body: TAKE.replace('before', 'a/b') },
    { title: 'no such storlink', path: `/vms/${WEB}/snapshots/`, body: TAKE.replace('>1<', '>11<') },
    { title: 'another PM’s storlink', path: `/vms/${WEB}/snapshots/`, body: TAKE.replace('>1<', '>2<') },
    { title: 'its PM is down', path: `/vms/${LOST}/snapshots/`, body: TAKE.replace('<storlink>1</storlink>', '') },
    { title: 'no such VM', path: `/vms/${MISSING}/snapshots/`, body: TAKE },
  ],
  'DELETE /vms/:vm_uuid/snapshots/:snapshot_uuid/': [
    { title: 'gone', path: of(DB, OTHER_WAY) },
    { title: 'it is gone', path: of(DB, OTHER_WAY) },
    { title: 'gone, with a body', path: of(WEB, OF_RUNNING), headers: WITH_BODY },
    { title: 'a layer that is none', path: of(DB, UNNAMED) },
    { title: 'by its name', path: of(DB, 'installed') },
  ],
  'GET /vms/:vm_uuid/snapshots/': [
    { title: 'all', path: `/vms/${DB}/snapshots/` },
    { title: 'as JSON', path: `/api/v1/vms/${DB}/snapshots?format=json` },
    { title: 'none', path: `/vms/${LOST}/snapshots/` },
    { title: 'no such VM', path: `/vms/${MISSING}/snapshots/` },
  ],
  'POST /vms/:vm_uuid/snapshots/:snapshot_uuid/': [
    { title: 'restored', path: of(DB, INSTALLED) },
    { title: 'what it held may go', path: of(DB, BEFORE), body: GONE },
    { title: 'running', path: of(WEB, OF_RUNNING) },
    { title: 'neither', path: of(DB, BEFORE), body: GONE.replace('False', 'maybe') },
    { title: 'another VM’s', path: of(DB, OF_RUNNING) },
    { title: 'none', path: of(DB, MISSING) },
  ],
  'PUT /vms/:vm_uuid/snapshots/:snapshot_uuid/': [
    { title: 'renamed', path: of(DB, INSTALLED), body: '<snapshot><name>fresh</name><desc>new</desc></snapshot>' },
    { title: 'its note alone', path: of(WEB, OF_RUNNING), body: '<s><desc>keep</desc></s>', headers: WITH_BODY },
    { title: 'nothing given', path: of(DB, INSTALLED), body: '<snapshot></snapshot>' },
    { title: 'no good name', path: of(DB, INSTALLED), body: '<snapshot><name>a/b</name></snapshot>' },
  ],
  'POST /vms/:vm_uuid/start/snapshots/:snapshot_uuid/': [
    { title: 'running', path: startOf(WEB, OF_RUNNING) },
    { title: 'restored and started', path: startOf(DB, OTHER_WAY) },
    { title: 'none', path: startOf(DB, OF_RUNNING) },
  ],
  'GET /vms/:vm_uuid/disks/snapshots/:snapshot_uuid/': [
    { title: 'all', path: disksOf(DB, INSTALLED) },
    { title: 'as JSON', path: `${disksOf(DB, BEFORE)}?format=json` },
    { title: 'a layer that is none', path: disksOf(DB, UNNAMED) },
    { title: 'malformed', path: disksOf(DB, '7') },
  ],
}
