const unitMs: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
};
const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;

/** The most that Go's time.Duration holds, some 292 years. */
const maxMs = 2 ** 63 / 1e6;

/** Milliseconds of a duration as Go's time.ParseDuration reads it (`2160h`, `1.5h`, `-5m`, `0`), or undefined. */
export function parseGoDuration(text: string): number | undefined {
  if (text.length > 64) return undefined;
  const [, sign = "", rest = ""] = /^([-+]?)(.*)$/s.exec(text) ?? [];
  if (rest === "0") return 0;
  if (rest === "") return undefined;
  let total = 0;
  part.lastIndex = 0;
  while (part.lastIndex < rest.length) {
    const match = part.exec(rest);
    if (match === null) return undefined;
    const [, amount = "", unit = ""] = match;
    total += Number(amount) * (unitMs[unit] ?? Number.NaN);
  }
  if (total >= maxMs) return undefined;
  return sign === "-" ? -total : total;
}
