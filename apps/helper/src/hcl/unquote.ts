const simple: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
  '"': '"',
};
const escapes = /\\(?:([abfnrtv\\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|)/g;

/**
 * The text of an HCL1 string, given what is between its quotes; undefined when an escape is not one of HCL1's.
 * `${...}` is kept as it is, escapes in it included.
 */
export function unquoteHcl(inner: string): string | undefined {
  let good = true;
  const parts = splitInterpolations(inner).map(({ text, raw }) => {
    if (raw) return text;
    return text.replace(escapes, (_all, plain, octal, ...hex) => {
      if (plain !== undefined) return simple[plain] ?? "";
      const digits: string | undefined = octal ?? hex.slice(0, 3).find((found) => found !== undefined);
      const point = digits === undefined ? Number.NaN : Number.parseInt(digits, octal === undefined ? 16 : 8);
      if (point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff)) return String.fromCodePoint(point);
      good = false;
      return "";
    });
  });
  return good ? parts.join("") : undefined;
}

/** The text of a JSON string with its quotes; undefined when it is none. */
export function unquoteJson(quoted: string): string | undefined {
  try {
    const text: unknown = JSON.parse(quoted);
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}

function splitInterpolations(inner: string): readonly { readonly text: string; readonly raw: boolean }[] {
  const parts: { text: string; raw: boolean }[] = [];
  let start = 0;
  for (let at = 0; at < inner.length; at++) {
    if (inner[at] === "\\") at++;
    else if (inner.startsWith("${", at)) {
      const end = endOfInterpolation(inner, at);
      parts.push({ text: inner.slice(start, at), raw: false }, { text: inner.slice(at, end), raw: true });
      start = end;
      at = end - 1;
    }
  }
  parts.push({ text: inner.slice(start), raw: false });
  return parts;
}

/** Just behind the brace that closes the `${` at this position. */
export function endOfInterpolation(text: string, at: number): number {
  let depth = 0;
  for (let index = at + 1; index < text.length; index++) {
    if (text[index] === "{") depth++;
    if (text[index] === "}" && --depth === 0) return index + 1;
  }
  return text.length;
}
