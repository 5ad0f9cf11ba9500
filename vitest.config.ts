import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Tests run on the sources: `@newleaf/x` is packages/x/src/index.ts, `@newleaf/x/sub` is packages/x/src/sub.ts.
const root = fileURLToPath(new URL(".", import.meta.url));
const alias = ["packages", "apps"].flatMap((group) =>
  readdirSync(`${root}${group}`).flatMap((name) => [
    { find: new RegExp(`^@newleaf/${name}$`), replacement: `${root}${group}/${name}/src/index.ts` },
    { find: new RegExp(`^@newleaf/${name}/(.+)$`), replacement: `${root}${group}/${name}/src/$1.ts` },
  ]),
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
