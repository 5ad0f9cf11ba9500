import { normalize } from "node:path/posix";

/** As Go's path.Join reads a name under a directory; undefined for what would leave it, or is none. */
export function insideName(name: string): string | undefined {
  const inside = normalize(`./${name}`);
  return inside !== "." && !inside.startsWith("..") && !inside.endsWith("/") ? inside : undefined;
}
