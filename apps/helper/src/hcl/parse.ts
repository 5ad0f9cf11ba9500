import { configError } from "../config-error.ts";
import { HelperError } from "../error.ts";
import { type Dialect, scan, type Token } from "./scan.ts";
import type { HclItem, HclObject, HclValue } from "./value.ts";

/** A configuration file is a page or two. */
const MAX_CHARACTERS = 1_048_576;
const MAX_DEPTH = 32;

/**
 * Reads HCL1 as spiffe-helper's files use it, or JSON when the first character is `{`: attributes, blocks, labelled
 * blocks, lists, heredocs, three kinds of comments. Throws only {@link HelperError}, which names file, line and column.
 */
export function parseHcl(text: string, file: string): HclObject {
  if (text.length > MAX_CHARACTERS) {
    throw new HelperError("ERR_HELPER_CONFIG", `${file} is larger than ${MAX_CHARACTERS} characters`);
  }
  const content = text.replace(/^\uFEFF/, "");
  const dialect: Dialect = content.trimStart().startsWith("{") ? "json" : "hcl";
  return new Parser(scan(content, file, dialect), file, dialect).file();
}

class Parser {
  readonly #tokens: readonly Token[];
  readonly #file: string;
  readonly #dialect: Dialect;
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[], file: string, dialect: Dialect) {
    this.#tokens = tokens;
    this.#file = file;
    this.#dialect = dialect;
  }

  file(): HclObject {
    if (this.#dialect === "json") {
      const object = this.#value() as HclObject;
      if (this.#next.type !== "end") throw this.#unexpected("nothing after the closing brace");
      return object;
    }
    const { place } = this.#next;
    const items: HclItem[] = [];
    while (this.#next.type !== "end") items.push(this.#item());
    return { kind: "object", items, place };
  }

  get #next(): Token {
    // The last token is "end", and nothing goes past it.
    return this.#tokens[Math.min(this.#at, this.#tokens.length - 1)] as Token;
  }

  #take(): Token {
    const token = this.#next;
    this.#at += 1;
    return token;
  }

  #skip(punctuation: string): boolean {
    const found = this.#next.type === "punctuation" && this.#next.text === punctuation;
    if (found) this.#at += 1;
    return found;
  }

  #item(): HclItem {
    const first = this.#key();
    if (this.#dialect === "json") {
      if (!this.#skip(":")) throw this.#unexpected(`":" after ${JSON.stringify(first.text)}`);
      return { key: first.text, labels: [], value: this.#value(), place: first.place };
    }
    const labels: string[] = [];
    while (this.#next.type === "identifier" || this.#next.type === "string") labels.push(this.#take().text);
    const block = this.#next.type === "punctuation" && this.#next.text === "{";
    if (!block && (labels.length > 0 || !this.#skip("="))) {
      throw this.#unexpected(labels.length > 0 ? `"{" after the label` : `"=" or "{" after ${first.text}`);
    }
    const item = { key: first.text, labels, value: this.#value(), place: first.place };
    this.#skip(",");
    return item;
  }

  #key(): Token {
    const { type } = this.#next;
    if (type === "string" || (type === "identifier" && this.#dialect === "hcl")) return this.#take();
    throw this.#unexpected("a key");
  }

  #value(): HclValue {
    const { type, text, place } = this.#take();
    if (type === "string" || type === "number" || type === "boolean") return { kind: type, text, place };
    if (type === "identifier" && text === "null" && this.#dialect === "json") {
      return { kind: "string", text: "", place };
    }
    this.#depth += 1;
    if (this.#depth > MAX_DEPTH) {
      throw configError(this.#file, place, `nested more than ${MAX_DEPTH} deep`);
    }
    const value: HclValue | undefined =
      type !== "punctuation"
        ? undefined
        : text === "{"
          ? { kind: "object", items: this.#untilClosed("}", () => this.#item()), place }
          : text === "["
            ? { kind: "list", items: this.#untilClosed("]", () => this.#value()), place }
            : undefined;
    this.#depth -= 1;
    if (value !== undefined) return value;
    this.#at -= 1;
    throw this.#unexpected("a value");
  }

  #untilClosed<T>(close: "}" | "]", one: () => T): readonly T[] {
    const items: T[] = [];
    // Between the items of an HCL object commas are allowed, elsewhere they are demanded.
    const strict = close === "]" || this.#dialect === "json";
    let separated = true;
    while (!this.#skip(close)) {
      if (this.#next.type === "end") throw this.#unexpected(JSON.stringify(close));
      if (strict && !separated) throw this.#unexpected(`"," or ${JSON.stringify(close)}`);
      items.push(one());
      separated = this.#skip(",");
    }
    return items;
  }

  #unexpected(expected: string): HelperError {
    const { type, text, place } = this.#next;
    const found = type === "end" ? "the end of the file" : JSON.stringify(text.slice(0, 40));
    const hint =
      type === "identifier" && expected === "a value"
        ? `put quotes around it: "${text.slice(0, 40)}"`
        : undefined;
    return configError(this.#file, place, `expected ${expected}, found ${found}`, hint);
  }
}
