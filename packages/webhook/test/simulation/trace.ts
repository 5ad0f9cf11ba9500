/** What happened, in order: all of it in a hash, the end of it in words. */
export interface Trace {
  add(at: number, line: string): void;
  /** Words for what is random (hashes of certificates), in order of appearance, so that runs can be compared. */
  nameOf(kind: string, value: string): string;
  /** Equal for equal histories. */
  readonly hash: string;
  readonly length: number;
  last(lines: number): readonly string[];
}

export function createTrace(keep = 4_000): Trace {
  const names = new Map<string, string>();
  const counts = new Map<string, number>();
  let lines: string[] = [];
  let length = 0;
  let high = 0x811c9dc5;
  let low = 0xc9dc5118;
  const digest = (text: string): void => {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      high = Math.imul(high ^ code, 0x01000193);
      low = Math.imul(low + code, 0x85ebca6b) ^ (low >>> 13);
    }
  };
  return {
    add(at, text) {
      const line = `${(at / 1000).toFixed(3)} ${text}`;
      digest(line);
      length += 1;
      lines.push(line);
      if (lines.length > 2 * keep) lines = lines.slice(-keep);
    },
    nameOf(kind, value) {
      let name = names.get(value);
      if (name === undefined) {
        const count = (counts.get(kind) ?? 0) + 1;
        counts.set(kind, count);
        name = `${kind}-${count}`;
        names.set(value, name);
      }
      return name;
    },
    get hash() {
      return [high, low].map((part) => (part >>> 0).toString(16).padStart(8, "0")).join("");
    },
    get length() {
      return length;
    },
    last: (count) => lines.slice(-count),
  };
}
