import { invalid } from "../config-error.ts";

/**
 * Splits `cmd_args` as spiffe-helper does, which reads it as CSV with a space for the comma: quotes hold a word
 * together, `""` inside them is one quote, and two spaces make an empty argument.
 */
export function splitCommandArguments(text: string, where: string): readonly string[] {
  const line = firstLine(text);
  if (line === "") return [];
  const words: string[] = [];
  for (let at = 0; ; ) {
    if (line[at] !== '"') {
      const end = line.indexOf(" ", at);
      const word = line.slice(at, end === -1 ? undefined : end);
      if (word.includes('"')) throw invalid(where, `cmd_args has a quote inside the bare word ${word}`, hint);
      words.push(word);
      if (end === -1) return words;
      at = end + 1;
      continue;
    }
    const [all, word = ""] = /^"((?:[^"]|"")*)"/.exec(line.slice(at)) ?? [];
    if (all === undefined) throw invalid(where, "cmd_args has a quote that is not closed", hint);
    words.push(word.replaceAll('""', '"'));
    at += all.length;
    if (at === line.length) return words;
    if (line[at] !== " ") throw invalid(where, "cmd_args has text right behind a closing quote", hint);
    at += 1;
  }
}

const hint = 'put quotes around the whole word and write quotes inside it twice: "say ""hi"" to them"';

/** CSV has one record to a line, and empty lines are skipped; only quotes hold lines together. */
function firstLine(text: string): string {
  const start = text.replace(/^(?:\r?\n)+/, "");
  let quoted = false;
  for (let at = 0; at < start.length; at++) {
    if (start[at] === '"') quoted = !quoted;
    if (start[at] === "\n" && !quoted) return start.slice(0, at).replace(/\r$/, "");
  }
  return start;
}
