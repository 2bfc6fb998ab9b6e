// Run by a program that obeys the bunfig.toml of the directory it is started in: pengx must not.
console.error('preloaded')
