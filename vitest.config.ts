import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests run on the sources: the package `@newleaf/x` is its src/index.ts, `@newleaf/x/sub` is src/sub.ts.
const root = fileURLToPath(new URL(".", import.meta.url));
const alias = ["packages", "apps"].flatMap((group) =>
  readdirSync(`${root}${group}`).flatMap((folder) => {
    const source = `${root}${group}/${folder}/src`;
    const { name } = JSON.parse(readFileSync(`${root}${group}/${folder}/package.json`, "utf8")) as {
      name: string;
    };
    return [
      { find: new RegExp(`^${name}$`), replacement: `${source}/index.ts` },
      { find: new RegExp(`^${name}/(.+)$`), replacement: `${source}/$1.ts` },
    ];
  }),
);

export default defineConfig({
  resolve: { alias },
  test: {
    include: ["{packages,apps}/*/{src,test}/**/*.test.ts", "examples/**/*.test.ts", "test/**/*.test.ts"],
    exclude: ["**/dist/**", "**/node_modules/**"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    reporters: ["default", ["json", { outputFile: "test-results/unit.json" }]],
    coverage: { include: ["{packages,apps}/*/src/**/*.ts"], exclude: ["**/*.test.ts"] },
  },
});
