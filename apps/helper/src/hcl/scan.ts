import { configError } from "../config-error.ts";
import { endOfInterpolation, unquoteHcl, unquoteJson } from "./unquote.ts";
import type { Place } from "./value.ts";

export interface Token {
  readonly type: "identifier" | "string" | "number" | "boolean" | "punctuation" | "end";
  /** Of a string what it means, of everything else how it was written. */
  readonly text: string;
  readonly place: Place;
}

/** `json`: JSON's strings and `:`, and neither comments nor heredocs. */
export type Dialect = "hcl" | "json";

const spaces = /[ \t\r\n]+/y;
const comment = /(?:#|\/\/)[^\n]*|\/\*[\s\S]*?\*\//y;
const identifier = /[A-Za-z_\p{L}][\p{L}\p{Nd}_.-]*/uy;
const number =
  /-?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?)/y;
const heredocStart = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy;
const jsonString = /"(?:[^"\\\n]|\\.)*"/y;

/** Splits a text into tokens, the last of type `end`. Throws where something is no token. */
export function scan(text: string, file: string, dialect: Dialect): readonly Token[] {
  const tokens: Token[] = [];
  const placeOf = createPlaces(text);
  const fail = (at: number, message: string): never => {
    throw configError(file, placeOf(at), message);
  };
  const match = (pattern: RegExp, at: number): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };
  const add = (type: Token["type"], meaning: string, at: number): void => {
    tokens.push({ type, text: meaning, place: placeOf(at) });
  };

  let at = 0;
  while (at < text.length) {
    const skipped = match(spaces, at) ?? (dialect === "hcl" ? match(comment, at) : null);
    if (skipped !== null) {
      at += skipped[0].length;
      continue;
    }
    const character = text[at] ?? "";
    const word = match(identifier, at)?.[0];
    const digits = match(number, at)?.[0];
    if (word !== undefined) {
      add(word === "true" || word === "false" ? "boolean" : "identifier", word, at);
      at += word.length;
    } else if (digits !== undefined) {
      if (/^-?0[0-9]*[89][0-9]*$/.test(digits)) fail(at, `${digits} is no octal number`);
      add("number", digits, at);
      at += digits.length;
    } else if (character === '"') {
      const end = dialect === "json" ? endOfJsonString(at) : endOfString(text, at);
      if (end === undefined) return fail(at, "this string does not end on its line");
      const meaning =
        dialect === "json" ? unquoteJson(text.slice(at, end)) : unquoteHcl(text.slice(at + 1, end - 1));
      if (meaning === undefined) return fail(at, "this string has an escape that is not known");
      add("string", meaning, at);
      at = end;
    } else if (character === "<" && dialect === "hcl") {
      at = heredoc(at);
    } else if ("{}[],=".includes(character) || (dialect === "json" && character === ":")) {
      add("punctuation", character, at);
      at += 1;
    } else if (text.startsWith("/*", at)) {
      fail(at, "this comment does not end");
    } else {
      fail(at, `unexpected ${JSON.stringify(String.fromCodePoint(text.codePointAt(at) ?? 0))}`);
    }
  }
  add("end", "", text.length);
  return tokens;

  function endOfJsonString(from: number): number | undefined {
    const found = match(jsonString, from);
    return found === null ? undefined : from + found[0].length;
  }

  function heredoc(from: number): number {
    const start = match(heredocStart, from);
    if (start === null) return fail(from, "a heredoc begins with << and a word, then a new line");
    const [opening, dash, word] = start;
    const body = from + opening.length;
    const lines: string[] = [];
    for (let line = body; line < text.length; ) {
      const newline = text.indexOf("\n", line);
      const end = newline === -1 ? text.length : newline;
      const content = text.slice(line, end);
      if (content.trim() === word) {
        add("string", dash === "-" ? withoutIndent(lines) : lines.join(""), from);
        return end;
      }
      lines.push(`${content}\n`);
      line = end + 1;
    }
    return fail(from, `this heredoc does not end: no line with only ${word}`);
  }
}

/** Just behind the closing quote; quotes inside `${...}` do not count. */
function endOfString(text: string, start: number): number | undefined {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '"') return at + 1;
    if (text[at] === "\n") return undefined;
    if (text[at] === "\\") at++;
    else if (text.startsWith("${", at)) at = endOfInterpolation(text, at) - 1;
  }
  return undefined;
}

function withoutIndent(lines: readonly string[]): string {
  const indents = lines
    .filter((line) => line.trim() !== "")
    .map((line) => /^[ \t]*/.exec(line)?.[0].length ?? 0);
  const indent = indents.length === 0 ? 0 : Math.min(...indents);
  return lines.map((line) => (line.trim() === "" ? line : line.slice(indent))).join("");
}

/** Offsets to lines and columns; asked in rising order, so that the text is walked once. */
function createPlaces(text: string): (at: number) => Place {
  let [line, column, walked] = [1, 1, 0];
  return (at) => {
    while (walked < at) {
      const point = text.codePointAt(walked) ?? 0;
      walked += point > 0xffff ? 2 : 1;
      if (point === 0x0a) [line, column] = [line + 1, 1];
      else column += 1;
    }
    return { line, column };
  };
}
