import { parseDuration, suggest } from "@newleaf/daemon";
import { formatPlace, invalid } from "../config-error.ts";
import type { HelperError } from "../error.ts";
import type { HclItem, HclObject, HclValue } from "../hcl/value.ts";

/** One value of the configuration and where it was written. */
export interface Given {
  readonly key: string;
  readonly value: HclValue;
  /** `helper.conf:3:9`, or the flag and variable that it came by. */
  readonly where: string;
}

/** Text that came by a flag or the environment, read like a quoted string of the file. */
export function givenText(key: string, text: string, where: string): Given {
  return { key, value: { kind: "string", text, place: { line: 1, column: 1 } }, where };
}

export function givenItem(file: string, { key, value, place }: HclItem): Given {
  return { key, value, where: formatPlace(file, place) };
}

/** HCL1 gives a string field whatever scalar was written. */
export function decodeString({ key, value, where }: Given): string {
  if (value.kind === "list" || value.kind === "object") throw invalid(where, `${key} is no string`);
  return value.text;
}

export function decodeBoolean(given: Given): boolean {
  const text =
    given.value.kind === "list" || given.value.kind === "object" ? "" : given.value.text.toLowerCase();
  if (text === "true" || text === "1") return true;
  if (text === "false" || text === "0") return false;
  throw invalid(given.where, `${given.key} is neither true nor false`);
}

/** Go's base 0: `0644` and `0o644` are octal, `0x1a4` hexadecimal, `420` decimal; quoted or not. */
export function decodeInteger(given: Given): number {
  const { key, where } = given;
  const text = decodeString(given);
  const [, sign = "", digits = ""] = /^([-+]?)(.*)$/s.exec(text.replaceAll("_", "")) ?? [];
  const plain = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
  const known = /^(?:0|[1-9][0-9]*|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(plain);
  const number = known ? Number(plain) * (sign === "-" ? -1 : 1) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  throw invalid(where, `${key} ${JSON.stringify(text.slice(0, 40))} is no whole number`);
}

export function decodeStrings({ key, value, where }: Given): readonly string[] {
  if (value.kind !== "list")
    throw invalid(where, `${key} is no list of strings`, `write ${key} = ["a", "b"]`);
  return value.items.map((item, index) => decodeString({ key: `${key}[${index}]`, value: item, where }));
}

/** Milliseconds. */
export function decodeDuration(given: Given): number {
  try {
    return parseDuration(decodeString(given));
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string };
    throw invalid(given.where, `${given.key} ${message}`, hint);
  }
}

export function decodeChoice<T extends string>(given: Given, choices: readonly T[]): T {
  const text = decodeString(given);
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  const near = suggest(text, choices);
  throw invalid(
    given.where,
    `${given.key} is ${JSON.stringify(text.slice(0, 40))}, not one of ${choices.join(", ")}`,
    near === undefined ? undefined : `did you mean ${near}?`,
  );
}

/** The fields of an object by lower-case key, the last of each; keys that are not known are refused. */
export function decodeFields(
  file: string,
  object: HclObject,
  known: readonly string[],
  what: string,
): ReadonlyMap<string, Given> {
  const fields = new Map<string, Given>();
  for (const item of object.items) {
    const key = item.key.toLowerCase();
    if (!known.includes(key)) throw unknownKey(formatPlace(file, item.place), item.key, known, what);
    fields.set(key, { ...givenItem(file, item), key });
  }
  return fields;
}

export function unknownKey(where: string, key: string, known: readonly string[], what: string): HelperError {
  const near = suggest(key.toLowerCase(), known);
  return invalid(
    where,
    `unknown key ${key} ${what}`,
    near === undefined ? `known keys: ${known.join(", ")}` : `did you mean ${near}?`,
  );
}
