import { defineConfig } from "vitest/config";

// One scenario at a time: they start real components and measure them. Programs run from dist, as installed.
export default defineConfig({
  test: {
    include: ["e2e/{cluster,components}/**/*.e2e.ts"],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: ["verbose", ["json", { outputFile: "test-results/e2e.json" }]],
  },
});
