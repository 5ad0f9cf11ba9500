import { basename, join } from "node:path";
import { build } from "esbuild";

/** A program of ours as one file of JavaScript, so that no Node needs a loader, which takes memory. */
export async function bundle(entry: string, directory: string): Promise<string> {
  const outfile = join(directory, `${basename(entry, ".ts")}.mjs`);
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    // Packages that are CommonJS call it.
    banner: {
      js: 'import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
    },
  });
  return outfile;
}
