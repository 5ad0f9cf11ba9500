const DECIMAL = /^(?:0|[1-9][0-9]*)$/;

/**
 * Which of two resource versions of one resource is newer: below zero when `a` is older, zero when they are equal,
 * undefined when nothing can be said. Kubernetes 1.35 promises that they are decimal numbers of any length without
 * leading zeros; other servers promise nothing.
 */
export function compareResourceVersions(a: string | undefined, b: string | undefined): number | undefined {
  if (a === undefined || b === undefined || !DECIMAL.test(a) || !DECIMAL.test(b)) return undefined;
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}
