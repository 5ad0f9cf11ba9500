const units = [
  ["year", 365 * 86_400_000],
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1_000],
] as const;

/** A length of time in people's words, two units at most: `58 minutes`, `1 day 3 hours`, `0 seconds`. */
export function formatLength(ms: number): string {
  let length = Math.round(Math.abs(ms) / 1_000) * 1_000;
  // Ten or more of a unit are rounded to it, which may reach the next: 23 hours 59 minutes are a day.
  const [, coarse] = unitFor(length);
  if (length >= 10 * coarse) length = Math.round(length / coarse) * coarse;
  const [name, size, below] = unitFor(length);
  const count = Math.floor(length / size);
  const rest = below === undefined || count >= 10 ? 0 : Math.floor((length % size) / below[1]);
  return plural(count, name) + (rest === 0 || below === undefined ? "" : ` ${plural(rest, below[0])}`);
}

type Unit = (typeof units)[number];

function unitFor(ms: number): readonly [name: string, size: number, below: Unit | undefined] {
  const index = units.findIndex(([, size]) => ms >= size);
  const [name, size] = units[index] ?? units[4];
  return [name, size, units[index + 1]];
}

/** `in 58 minutes (2026-01-31T12:00:00Z)` or `3 days ago (…)`. */
export function formatRelative(date: Date, now: Date): string {
  const ms = date.getTime() - now.getTime();
  const relative = ms >= 0 ? `in ${formatLength(ms)}` : `${formatLength(ms)} ago`;
  return `${relative} (${formatInstant(date)})`;
}

/** ISO 8601 in UTC to the second. */
export function formatInstant(date: Date): string {
  return `${date.toISOString().slice(0, 19)}Z`;
}

function plural(count: number, unit: string): string {
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
