/** Delay before retry number `failures` (from 1): doubles from `baseMs` to `maxMs`, of which half is random. */
export function backoffMs(failures: number, baseMs: number, maxMs: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** Math.min(failures - 1, 30));
  return full / 2 + (full / 2) * Math.random();
}
