import { execFileSync } from "node:child_process";

const script = new URL("setup/env.sh", import.meta.url).pathname;
let found: Map<string, string> | undefined;

/** Where `make e2e-setup` put a component (a line `NAME=path` of e2e/setup/env.sh), or undefined where it is absent. */
export function component(name: string): string | undefined {
  found ??= new Map(
    execFileSync("bash", [script], { encoding: "utf8" })
      .split("\n")
      .flatMap((line) =>
        line.includes("=")
          ? [[line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const]
          : [],
      ),
  );
  return found.get(name);
}
