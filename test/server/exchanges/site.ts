import { JOB, PM_A } from '../site.ts'
import { ASYNC, type Exchanges, WITH_BODY } from './exchange.ts'

/** What is asked of each row about PMs, storlinks and jobs. */

const NEW_STORLINK = `<storlink>
  <name>store9</name>
  <link>/data9</link>
  <desc>VM store9</desc>
  <type>IO</type>
  <level>FL</level>
  <shared>True</shared>
</storlink>`

const CHANGED = `<storlink>
  <name>store9</name>
  <link>/data2</link>
  <desc>VM store9</desc>
  <type>LO</type>
  <level>BL</level>
  <shared>False</shared>
</storlink>`

export const SITE_EXCHANGES: Exchanges = {
  'GET /pms/all/': [
    { title: 'all', path: '/pms/all/' },
    { title: 'as JSON', path: '/pms/all/?format=json' },
  ],
  'GET /pms/': [{ title: 'this server’s own', path: '/pms/' }],
  'GET /pms/:pm_uuid/': [
    { title: 'one', path: `/pms/${PM_A}/` },
    { title: 'none', path: '/pms/1/' },
  ],
  'POST /pms/update-authorized-keys/': [
    { title: 'written', path: '/pms/update-authorized-keys/' },
    { title: 'at once', path: '/v1/pms/update-authorized-keys', headers: ASYNC },
  ],
  'PUT /pms/update-authorized-keys/': [
    { title: 'written', path: '/pms/update-authorized-keys/' },
    { title: 'missing ones made', path: '/pms/update-authorized-keys/', body: '<pms><create>True</create></pms>' },
    { title: 'no flag', path: '/pms/update-authorized-keys/', body: '<pms><create>please</create></pms>' },
  ],
  'GET /pmpperf/': [{ title: 'this server’s own', path: '/pmpperf/' }],
  'GET /pmpperf/:pm_uuid/': [{ title: 'one', path: `/pmperf/${PM_A}/` }],
  'POST /storlinks/create/': [
    { title: 'the document’s example', path: '/storlinks/create/', body: NEW_STORLINK },
    { title: 'no name', path: '/storlinks/create/', body: '<storlink><link>/data9</link></storlink>' },
    { title: 'no such type', path: '/storlinks/create/', body: NEW_STORLINK.replace('IO', 'ZFS') },
    {
      title: 'NFS with blocks',
      path: '/storlinks/create/',
      body: NEW_STORLINK.replace('IO', 'NFS').replace('FL', 'BL'),
    },
    { title: 'already a storlink', path: '/storlinks/create/', body: NEW_STORLINK.replace('data9', 'data') },
    { title: 'inside another', path: '/storlinks/create/', body: NEW_STORLINK.replace('data9', 'data/9') },
  ],
  'PUT /storlinks/:storlink_id/': [
    { title: 'the document’s example, whose link is no volume group', path: '/storlinks/3/', body: CHANGED },
    { title: 'with files', path: '/storlinks/3/', body: CHANGED.replace('BL', 'FL') },
    { title: 'with a volume group', path: '/storlinks/3/', body: CHANGED.replace('/data2', '/dev/vg2') },
    { title: 'where disks lie', path: '/storlinks/1/', body: CHANGED.replace('BL', 'FL') },
    {
      title: 'a name and a description, with a body',
      path: '/v2/storlinks/1/',
      body: '<storlink><name>store9</name><link></link><desc>VM store9</desc></storlink>',
      headers: WITH_BODY,
    },
    { title: 'nothing given', path: '/storlinks/1/', body: '<storlink></storlink>' },
    { title: 'no flag', path: '/storlinks/1/', body: '<storlink><shared>maybe</shared></storlink>' },
    { title: 'none', path: '/storlinks/99/', body: CHANGED },
  ],
  'DELETE /storlinks/:storlink_id/': [
    { title: 'in use', path: '/storlinks/1/' },
    { title: 'gone', path: '/storlinks/3/', headers: WITH_BODY },
    { title: 'none', path: '/storlinks/99/' },
  ],
  'GET /storlinks/': [
    { title: 'all', path: '/storlinks/' },
    { title: 'as JSON', path: '/storlinks/', headers: { Accept: 'application/json' } },
  ],
  'GET /storlinks/all/': [{ title: 'all, with names', path: '/v2/storlinks/all/' }],
  'GET /verify/': [
    { title: 'what is found', path: '/verify/' },
    { title: 'as JSON', path: '/verify/?format=json' },
  ],
  'GET /jobs/': [{ title: 'all', path: '/jobs/' }],
  'GET /jobs/:job_id/': [
    { title: 'one', path: `/jobs/${JOB}/` },
    { title: 'as JSON', path: `/jobs/${JOB}/?format=json` },
  ],
  'DELETE /jobs/:job_id/': [
    { title: 'cancelled', path: `/jobs/${JOB}/` },
    { title: 'already', path: `/jobs/${JOB}/`, headers: WITH_BODY },
  ],
  'GET /healthz': [{ title: 'there', path: '/healthz' }],
}
