import { DB, LOST, WEB } from '../site.ts'
import { TEMPLATE, USED } from '../siteTemplates.ts'
import { ASYNC, type Exchanges, MISSING, WITH_BODY } from './exchange.ts'

/** What is asked of each row about templates. */

const described = `<name>debian 9 64bit template</name>
  <os>DEBIAN</os>
  <os_arch>X64</os_arch>
  <desc>Debian 9 stretch 64bit template</desc>`

const ADD = `<template>
  ${described}
  <disk>
    <storlink>1</storlink>
    <uuid>bed05d84-7c44-4720-9588-57cbd8ecef8f</uuid>
    <format>qcow2</format>
  </disk>
</template>`

const ADD_NEW = `<template>
  ${described}
  <disk>
    <storlink>1</storlink>
    <size>102400</size> <!-- unit: MB -->
    <format>qcow2</format>
  </disk>
</template>`

const OF_VM = `<template>
  <name>golden</name>
  <storlink>1</storlink>
  <desc>what web01 holds</desc>
</template>`

const AS_JSON = JSON.stringify({ name: 'new', disk: { storlink: 1, size: 1024, format: 'raw' } })
const JSON_BODY = { 'Content-Type': 'application/json', Accept: 'application/json' }

export const TEMPLATE_EXCHANGES: Exchanges = {
  'POST /templates/add/': [
    { title: 'the document’s example', path: '/templates/add/', body: ADD },
    { title: 'singular', path: '/template/add/', body: ADD.replace('9 64', '10 64'), headers: ASYNC },
    { title: 'no image', path: '/templates/add/', body: ADD.replace(/<uuid>.*<\/uuid>/, '') },
    { title: 'no UUID', path: '/templates/add/', body: ADD.replace('bed05d84', 'bed') },
    { title: 'no disk', path: '/templates/add/', body: `<template>${described}</template>` },
    { title: 'two disks', path: '/templates/add/', body: ADD.replace('</template>', '<disk></disk></template>') },
    { title: 'no such storlink', path: '/templates/add/', body: ADD.replace('<storlink>1', '<storlink>11') },
    { title: 'no such system', path: '/templates/add/', body: ADD.replace('>DEBIAN', '>BEOS') },
    { title: 'an image that is one’s already', path: '/templates/add/', body: ADD.replace('cef8f', 'cef8c') },
  ],
  'POST /templates/create/vms/:vm_uuid/': [
    { title: 'the document’s example', path: `/templates/create/vms/${WEB}/`, body: OF_VM },
    {
      title: 'on the VM’s own storlink',
      path: `/template/create/vms/${DB}/`,
      body: '<template><name>a</name></template>',
    },
    { title: 'no name', path: `/templates/create/vms/${WEB}/`, body: '<template></template>' },
    { title: 'another PM’s storlink', path: `/templates/create/vms/${WEB}/`, body: OF_VM.replace('>1<', '>2<') },
    { title: 'its PM is down', path: `/templates/create/vms/${LOST}/`, body: OF_VM },
    { title: 'no such VM', path: `/templates/create/vms/${MISSING}/`, body: OF_VM },
  ],
  'DELETE /templates/:gvm_uuid/': [
    { title: 'a VM was made from it', path: `/template/${USED}/` },
    { title: 'gone', path: `/template/${TEMPLATE}/` },
    { title: 'gone, with a body', path: `/templates/${TEMPLATE}/`, headers: WITH_BODY },
    { title: 'none', path: `/template/${MISSING}/` },
  ],
  'GET /templates/:gvm_uuid/disks/': [
    { title: 'all', path: `/templates/${TEMPLATE}/disks/` },
    { title: 'as JSON', path: `/template/${USED}/disks/?format=json` },
    { title: 'no such template', path: '/templates/debian/disks/' },
  ],
  'GET /templates/': [
    { title: 'v1', path: '/templates/' },
    { title: 'v2', path: '/v2/templates/' },
    { title: 'v2 by a header', path: '/templates/?format=json', headers: { Accept: 'application/xml; version=v2' } },
    { title: 'v2, one booted for upkeep', path: '/api/v2/template/', after: `/templates/${TEMPLATE}/start/` },
  ],
  'PUT /templates/:gvm_uuid/': [
    {
      title: 'the document’s example',
      path: `/templates/${TEMPLATE}/`,
      body: `<template>\n  ${described}\n</template>`,
    },
    {
      title: 'its name alone',
      path: `/template/${USED}/`,
      body: '<template><name>w</name></template>',
      headers: WITH_BODY,
    },
    {
      title: 'a name that is taken',
      path: `/templates/${TEMPLATE}/`,
      body: '<template><name>win &lt;&amp;&gt;</name></template>',
    },
    { title: 'no architecture', path: `/templates/${TEMPLATE}/`, body: '<template><os_arch>ARM</os_arch></template>' },
    { title: 'none', path: `/templates/${MISSING}/`, body: '<template><name>w</name></template>' },
  ],
  'POST /templates/add_new/': [
    { title: 'the document’s example', path: '/v2/templates/add_new/', body: ADD_NEW },
    { title: 'as JSON', path: '/templates/add_new/', body: AS_JSON, headers: JSON_BODY },
    { title: 'no size', path: '/templates/add_new/', body: ADD_NEW.replace('102400', '') },
    { title: 'a size in words', path: '/templates/add_new/', body: ADD_NEW.replace('102400', '100G') },
    { title: 'no such format', path: '/templates/add_new/', body: ADD_NEW.replace('>qcow2', '>vmdk') },
    { title: 'a name that is taken', path: '/templates/add_new/', body: ADD_NEW.replace('debian 9', 'debian 8') },
  ],
  'GET /templates/:gvm_uuid/': [
    { title: 'one', path: `/v2/templates/${USED}/` },
    { title: 'under v1 too', path: `/v1/template/${TEMPLATE}/?format=json` },
    { title: 'booted for upkeep', path: `/templates/${TEMPLATE}/`, after: `/templates/${TEMPLATE}/start/` },
    { title: 'none', path: `/templates/${MISSING}/` },
  ],
  'POST /templates/:gvm_uuid/start/': [
    {
      title: 'booted',
      path: `/templates/${TEMPLATE}/start/`,
      body: '<template><memory>2048</memory><network><list-item>0</list-item></network></template>',
    },
    { title: 'already', path: `/template/${TEMPLATE}/start/` },
    {
      title: 'a password that is too long',
      path: `/templates/${USED}/start/`,
      body: '<t><vnc_password>123456789</vnc_password></t>',
    },
    { title: 'none', path: `/templates/${MISSING}/start/` },
  ],
  'POST /templates/:gvm_uuid/shutdown/': [
    { title: 'not booted', path: `/templates/${TEMPLATE}/shutdown/` },
    { title: 'ended', path: `/templates/${TEMPLATE}/shutdown/`, after: `/templates/${TEMPLATE}/start/` },
    { title: 'no number', path: `/templates/${TEMPLATE}/shutdown/`, body: '<t><timeout>soon</timeout></t>' },
  ],
}
