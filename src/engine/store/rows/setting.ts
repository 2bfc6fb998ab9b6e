import type { Setting, WritableKind } from './kind.ts'

export const settingKind: WritableKind<Setting> = {
  table: 'settings',
  key: 'key',
  idOf: (setting) => setting.key,
  compare: (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),

  async load(sql, since) {
    const rows = await sql.selectFrom('settings').selectAll().where('rev', '>', since).execute()
    return rows.map(({ key, value, rev }) => ({ value: { key, value }, rev }))
  },

  toRow: ({ key, value }, rev) => ({ key, value, rev }),
}
