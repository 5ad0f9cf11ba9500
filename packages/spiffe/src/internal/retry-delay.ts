const BASE_MS = 200;
const LONGEST_MS = 10_000;

/** The wait before the next attempt after so many failures in a row: doubles from 0.2 s to 10 s, half of it random. */
export function retryDelayMs(failures: number): number {
  const full = Math.min(LONGEST_MS, BASE_MS * 2 ** Math.min(failures - 1, 30));
  return full / 2 + (full / 2) * Math.random();
}
