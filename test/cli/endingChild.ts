import { takeCareOfTheEnd } from '../../src/ending.ts'

/** A process that ends as its first word says; its second is the log. Run by ending.test.ts. */
const [how, logPath] = process.argv.slice(2)
const say = (word: string): void => void process.stdout.write(`${word}\n`)
const ending = takeCareOfTheEnd()
if (logPath) ending.logTo(logPath)
ending.onEnd(() => say('closed first opened'))
ending.onEnd(async () => {
  await Bun.sleep(1)
  say('closed last opened')
})
ending.onCrash(() => {
  throw new Error('this restore fails itself')
})
ending.onCrash(() => say('restored'))

switch (how) {
  case 'done':
    await ending.exit(3)
    break
  case 'throws':
    setTimeout(() => {
      throw new Error('a defect')
    })
    break
  case 'rejects':
    void Promise.reject(new Error('a defect'))
    break
  case 'serves': {
    const asked = ending.asked()
    say('ready')
    say(`asked by ${await asked}`)
    await ending.exit(0)
    break
  }
  case 'fails closing':
    ending.onEnd(() => {
      throw new Error('cannot close')
    })
    await ending.exit(0)
    break
  default:
    say('ready')
}
setInterval(() => undefined, 1000)
