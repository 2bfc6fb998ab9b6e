import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'

/**
 * `npm run build`: one executable, the same bytes for the same sources. `--target` builds for another kind of machine
 * (bun-linux-x64-baseline for processors without AVX2, bun-linux-arm64, …), `--outfile` puts it elsewhere.
 */
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    outfile: { type: 'string', default: 'dist/pengx' },
  },
})

/**
 * Left out: Ink's developer tools, which it imports only under DEV=true but which a bundler would have to find, and
 * native addons, which npm builds for the machine at hand and which would get into the executable unseen. ssh2
 * works without its own.
 */
const leaveOut: Bun.BunPlugin = {
  name: 'leave out',
  setup(build) {
    build.onResolve({ filter: /^(react-devtools-core|cpu-features)$|\.node$/ }, ({ path }) => ({
      path,
      namespace: 'left-out',
    }))
    build.onLoad({ filter: /.*/, namespace: 'left-out' }, ({ path }) => ({
      loader: 'js',
      contents:
        path === 'react-devtools-core'
          ? 'export default { initialize() {}, connectToDevTools() {} }'
          : `throw new Error(${JSON.stringify(`${path} is left out of the executable`)})`,
    }))
  },
}

/** What was built before must not outlive a build that fails. */
rmSync(values.outfile, { force: true })

const result = await Bun.build({
  entrypoints: ['src/main.tsx'],
  format: 'esm',
  minify: true,
  splitting: true,
  bytecode: true,
  sourcemap: 'linked',
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [leaveOut],
  compile: {
    outfile: values.outfile,
    autoloadDotenv: false,
    autoloadBunfig: false,
    ...(values.target === undefined ? {} : { target: values.target as Bun.Build.CompileTarget }),
  },
  throw: false,
})

for (const log of result.logs) console.error(String(log))
if (!result.success) process.exit(1)
// The maps are in the executable too, where stack traces find them.
for (const map of new Bun.Glob('*.map').scanSync({ cwd: dirname(values.outfile) }))
  rmSync(join(dirname(values.outfile), map))
console.log(values.outfile)
