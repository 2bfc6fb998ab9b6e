import { NIGHTLY, OF_GONE_VM, OFF } from '../../support/sites/scheduleSite.ts'
import { LOST, WEB } from '../site.ts'
import { type Exchanges, MISSING, WITH_BODY } from './exchange.ts'

/** What is asked of each row about schedules. */

const NEW = `<schedule>
  <vm>${WEB}</vm>
  <storlink>1</storlink>
  <cron>0 3 * * 1-5</cron>
  <incremental>False</incremental>
  <rate>20</rate>
  <keep_last>3</keep_last>
  <keep_hourly>6</keep_hourly>
  <keep_daily>14</keep_daily>
  <keep_weekly>8</keep_weekly>
  <keep_monthly>12</keep_monthly>
</schedule>`

const VM = `<vm>${WEB}</vm>`
const all = '/schedules/'
const one = (uuid: string) => `/schedules/${uuid}/`

export const SCHEDULE_EXCHANGES: Exchanges = {
  'GET /schedules/': [
    { title: 'all', path: all },
    { title: 'as JSON', path: '/api/v2/schedules?format=json' },
  ],
  'POST /schedules/': [
    { title: 'made', path: all, body: NEW },
    {
      title: 'as JSON, as it comes',
      path: all,
      body: `{"schedule":{"vm":"${WEB}","storlink":1,"cron":"15 4 * * *"}}`,
      headers: { 'Content-Type': 'application/json', Accept: 'application/json' },
    },
    { title: 'for a filter', path: all, body: NEW.replace(VM, '<filter>os:debian !lost</filter>') },
    { title: 'for a filter of which nothing is known', path: all, body: NEW.replace(VM, '<filter>host:x</filter>') },
    { title: 'that verifies', path: all, body: NEW.replace('</cron>', '</cron><what>verify</what>') },
    { title: 'for nobody', path: all, body: NEW.replace(VM, '') },
    { title: 'for a VM and a filter', path: all, body: NEW.replace(VM, `${VM}<filter>os:debian</filter>`) },
    { title: 'no such time', path: all, body: NEW.replace('0 3', '61 3') },
    { title: 'no time of day', path: all, body: NEW.replace('0 3 * * 1-5', 'daily') },
    { title: 'no time', path: all, body: NEW.replace(/<cron>.*<.cron>/, '') },
    { title: 'no such VM', path: all, body: NEW.replace(WEB, MISSING) },
    { title: 'no such storlink', path: all, body: NEW.replace('>1<', '>11<') },
    { title: 'a storlink that its PM does not see', path: all, body: NEW.replace('>1<', '>2<') },
    { title: 'fewer than none', path: all, body: NEW.replace('>3<', '>-1<') },
    { title: 'its PM is down', path: all, body: NEW.replace(WEB, LOST) },
  ],
  'GET /schedules/:schedule_uuid/': [
    { title: 'kept to', path: one(NIGHTLY) },
    { title: 'of a VM that is gone, which nobody sees to', path: one(OF_GONE_VM) },
    { title: 'none', path: one(MISSING) },
  ],
  'PUT /schedules/:schedule_uuid/': [
    { title: 'another time', path: one(NIGHTLY), body: '<schedule><cron>0 4 * * *</cron></schedule>' },
    { title: 'switched on', path: one(OFF), body: '<schedule><enabled>True</enabled></schedule>', headers: WITH_BODY },
    { title: 'no such time', path: one(NIGHTLY), body: '<schedule><cron>0 0 30 2 *</cron></schedule>' },
    { title: 'a filter for one VM', path: one(NIGHTLY), body: '<schedule><filter>os:debian</filter></schedule>' },
    { title: 'no such storlink', path: one(NIGHTLY), body: '<schedule><storlink>11</storlink></schedule>' },
    { title: 'nothing', path: one(NIGHTLY), body: '<schedule></schedule>' },
    { title: 'none', path: one(MISSING), body: '<schedule><cron>0 4 * * *</cron></schedule>' },
  ],
  'DELETE /schedules/:schedule_uuid/': [
    { title: 'gone', path: one(NIGHTLY) },
    { title: 'it is gone', path: one(NIGHTLY) },
    { title: 'gone, with a body', path: one(OF_GONE_VM), headers: WITH_BODY },
  ],
}
