/**
 * A log record for a person's terminal: what is nested deeper than one level shrinks to its size, long hex
 * digests to their beginning. JSON logs keep everything.
 */
export function compactFields(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return mapValues(record, (value) => (isPlain(value) ? mapValues(value, compactLeaf) : compactLeaf(value)));
}

function compactLeaf(value: unknown): unknown {
  if (typeof value === "string")
    return value.replaceAll(/\b[0-9a-f]{32,}\b/g, (hex) => `${hex.slice(0, 12)}…`);
  if (Array.isArray(value)) return value.every(isScalar) ? value.map(compactLeaf) : `[${value.length}]`;
  return isPlain(value) && !Object.values(value).every(isNumber) ? `{${Object.keys(value).length}}` : value;
}

function mapValues(record: object, change: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
}

function isPlain(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

function isNumber(value: unknown): boolean {
  return typeof value === "number";
}
