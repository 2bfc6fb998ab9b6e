/**
 * `hw_caps` of `xl info`: what the processor can do, as words of 32 bits in Xen's order. Only what a guest may have seen and
 * use counts here: a guest that has begun to use an instruction dies where that is missing. Virtualisation, power saving
 * and counters are the hypervisor's own (xen/include/public/arch-x86/cpufeatureset.h names them all).
 */
const WORDS: readonly Readonly<Record<number, string>>[] = [
  { 8: 'cx8', 15: 'cmov', 23: 'mmx', 24: 'fxsr', 25: 'sse', 26: 'sse2' },
  {
    0: 'sse3',
    1: 'pclmulqdq',
    9: 'ssse3',
    12: 'fma',
    13: 'cx16',
    19: 'sse4_1',
    20: 'sse4_2',
    22: 'movbe',
    23: 'popcnt',
    25: 'aes',
    26: 'xsave',
    28: 'avx',
    29: 'f16c',
    30: 'rdrand',
  },
  { 11: 'syscall', 20: 'nx', 22: 'mmxext', 26: 'page1gb', 27: 'rdtscp', 29: 'lm' },
  { 0: 'lahf_lm', 5: 'abm', 6: 'sse4a', 7: 'misalignsse', 8: '3dnowprefetch', 11: 'xop', 16: 'fma4', 21: 'tbm' },
  { 0: 'xsaveopt', 1: 'xsavec', 2: 'xgetbv1', 3: 'xsaves' },
  {
    0: 'fsgsbase',
    3: 'bmi1',
    5: 'avx2',
    8: 'bmi2',
    9: 'erms',
    16: 'avx512f',
    17: 'avx512dq',
    18: 'rdseed',
    19: 'adx',
    21: 'avx512ifma',
    23: 'clflushopt',
    24: 'clwb',
    28: 'avx512cd',
    29: 'sha_ni',
    30: 'avx512bw',
    31: 'avx512vl',
  },
]

/** Names of what a processor can do for guests; empty where the text is not such words. */
export function parseCpuFeatures(text: string): string[] {
  const words = text.trim().split(':')
  if (words.length < WORDS.length || !words.every((word) => /^[0-9a-f]{8}$/.test(word))) return []
  return WORDS.flatMap((names, index) => {
    const bits = Number.parseInt(words[index]!, 16)
    return Object.entries(names).flatMap(([bit, name]) => ((bits >>> Number(bit)) & 1 ? [name] : []))
  })
}
