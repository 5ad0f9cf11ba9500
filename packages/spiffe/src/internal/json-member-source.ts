/**
 * The source text of the value of a top-level member, for numbers that JSON.parse would round. `json` must be a JSON
 * object that JSON.parse has accepted; of several members of one name the last counts, as it does there. Undefined
 * when there is none, or when the value is an object or a list.
 */
export function jsonMemberSource(json: string, name: string): string | undefined {
  let depth = 0;
  let previous = "";
  let key = "";
  let found: string | undefined;
  for (const [token] of json.matchAll(TOKEN)) {
    if (depth === 1 && token === ":") key = previous;
    // A value follows its colon; one that is an object or a list leaves nothing behind.
    else if (depth === 1 && previous === ":" && JSON.parse(key) === name) {
      found = token === "{" || token === "[" ? undefined : token;
    }
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    previous = token;
  }
  return found;
}

const TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s"{}[\]:,]+/g;
