// prepack and postpack of a published package: `node ../../scripts/bundle-dist.mjs bundle|restore`, in its directory.
// A published package carries few modules, since each one costs its importers about a millisecond. While it is being
// packed, `dist` holds bundles beside tsc's declarations; what tsc wrote comes back afterwards, with its times.
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { build } from "esbuild";

// Below node_modules, where git, lint and pack do not look, and from where a rename is one step.
const aside = "node_modules/.dist-of-tsc";
const staging = "node_modules/.dist-bundled";

restore(); // also after a pack that was killed
if (process.argv[2] === "bundle") {
  run("tsc", ["-b"]);
  rmSync(staging, { recursive: true, force: true });
  await bundle();
  copyDeclarations();
  renameSync("dist", aside);
  renameSync(staging, "dist");
}

function restore() {
  if (!existsSync(aside)) return;
  rmSync("dist", { recursive: true, force: true });
  renameSync(aside, "dist");
}

/** One module for each entry of `exports`, and one for what entries share. */
async function bundle() {
  const { exports } = JSON.parse(readFileSync("package.json", "utf8"));
  const { outputFiles } = await build({
    entryPoints: Object.values(exports).map(({ default: path }) =>
      path.replace(/^\.\/dist\/(.*)\.js$/, "src/$1.ts"),
    ),
    outdir: "dist",
    write: false,
    bundle: true,
    packages: "external",
    splitting: true,
    chunkNames: "shared-[hash]",
    format: "esm",
    platform: "node",
    target: "node20",
    sourcemap: "linked",
    logLevel: "warning",
  });
  for (const { path, contents } of outputFiles) {
    const target = join(staging, relative(resolve("dist"), path));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, contents);
  }
}

/** Those of modules that there are: tsc leaves the output of deleted ones behind. */
function copyDeclarations() {
  for (const path of readdirSync("src", { recursive: true, encoding: "utf8" })) {
    if (!path.endsWith(".ts") || path.endsWith(".test.ts")) continue;
    const declaration = path.replace(/\.ts$/, ".d.ts");
    cpSync(join("dist", declaration), join(staging, declaration));
  }
}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { stdio: ["ignore", process.stderr, process.stderr] });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")} failed`, { cause: error });
}
