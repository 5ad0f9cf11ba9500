import type { z } from "zod";
import { suggest } from "../suggest.ts";

/** Why a schema refused a value, in words that do not depend on the schema library. */
export interface RefusedValue {
  /** The value for the error line, quoted; undefined where `problem` shows it already, or it is no text. */
  readonly shown: string | undefined;
  readonly problem: string;
  readonly hint: string | undefined;
}

/** Of several problems the first. Of a list the item that was refused. */
export function describeRefusal(raw: unknown, error: z.ZodError): RefusedValue {
  const [issue] = error.issues;
  if (issue === undefined) return { shown: show(raw), problem: "is not valid", hint: undefined };
  const flat = issue.code === "invalid_union" ? (issue.errors.at(-1)?.[0] ?? issue) : issue;
  const [index] = issue.path;
  const value: unknown = Array.isArray(raw) && typeof index === "number" ? raw[index] : raw;
  const problem = problemOf(flat);
  const isShown = typeof value !== "string" || problem.includes(JSON.stringify(value));
  const shown = isShown ? undefined : show(value);
  return { shown, problem, hint: hintOf(flat) ?? suggestValue(value, flat) };
}

type Issue = z.core.$ZodIssue;

function problemOf(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return `is not ${kinds[issue.expected] ?? `a ${issue.expected}`}`;
    case "invalid_value":
      return `expected one of ${issue.values.join(", ")}`;
    case "too_small":
      return outOfRange(issue.origin, issue.minimum, "less", "shorter", "fewer");
    case "too_big":
      return outOfRange(issue.origin, issue.maximum, "more", "longer", "more");
    case "invalid_format":
      if (issue.format === "url") return "is not a URL";
      return issue.message.startsWith("Invalid ") ? "is not written as expected" : issue.message;
    case "custom":
      return issue.message;
    default:
      return "is not valid";
  }
}

const kinds: Readonly<Record<string, string>> = {
  number: "a number",
  int: "a whole number",
  boolean: "yes or no",
  string: "a text",
  array: "a list",
};

function outOfRange(
  origin: string,
  limit: number | bigint,
  number: string,
  text: string,
  list: string,
): string {
  if (origin === "string") {
    return limit === 1 && text === "shorter" ? "is empty" : `is ${text} than ${limit} characters`;
  }
  return origin === "array" ? `has ${list} than ${limit} values` : `is ${number} than ${limit}`;
}

function hintOf(issue: Issue): string | undefined {
  return issue.code === "custom" && typeof issue.params?.hint === "string" ? issue.params.hint : undefined;
}

function suggestValue(value: unknown, issue: Issue): string | undefined {
  if (issue.code !== "invalid_value" || typeof value !== "string") return undefined;
  const near = suggest(value, issue.values.map(String));
  return near === undefined ? undefined : `did you mean ${near}?`;
}

/** A value for an error line: short, and without the password of a URL. */
function show(value: unknown): string {
  const text = String(value).replace(/\/\/([^/@:]*):[^/@]*@/, "//$1:***@");
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
