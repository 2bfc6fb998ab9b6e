/** The screen of a guest, as its configuration has it. */
export interface SimVnc {
  /** Of a frame buffer, where its file says so; and whether a display that is taken lets it have another. */
  enable?: boolean
  unused?: boolean
  listen: string
  password?: string
  display?: number
}
