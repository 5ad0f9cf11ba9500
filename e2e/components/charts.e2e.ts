// The charts render, refuse what cannot rotate, and their rendered copies are current; what they give to other programs is
// accepted by those. Needs: helm; Envoy and PostgreSQL for what is theirs.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { component } from "../component.ts";
import { run, runNewleaf } from "../process.ts";

const deploy = new URL("../../deploy/", import.meta.url).pathname;
const helm = component("NEWLEAF_HELM");
const withHelm = test.skipIf(helm === undefined);

withHelm("deploy/manifests are what the charts render (helm)", async () => {
  const result = await run("bash", [`${deploy}render.sh`, "--check"]);
  expect(result, result.stdout + result.stderr).toMatchObject({ code: 0 });
});

withHelm(
  "a renewBefore that is not below duration is refused before anything is installed (helm)",
  async () => {
    const result = await run(helm ?? "", [
    "template", `${deploy}charts/mtls-demo`, "--set", "frontend.certificate.renewBefore=5m",
  ]); // biome-ignore format: one command line
    expect(result.code).not.toBe(0);
    expect(result.stderr).toContain("renewBefore 5m must be below duration 5m");
  },
);

/** A file of a ConfigMap in the rendered manifests. */
function fileOf(name: string): string {
  const lines = readFileSync(`${deploy}manifests/spiffe-demo.yaml`, "utf8").split("\n");
  const begin = lines.indexOf(`  ${name}: |`);
  if (begin < 0) throw new Error(`no ${name}`);
  const rest = lines.slice(begin + 1);
  const length = rest.findIndex((line) => line !== "" && !line.startsWith("    "));
  return rest
    .slice(0, length)
    .map((line) => line.slice(4))
    .join("\n");
}

async function withFile<T>(name: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), "newleaf-chart-"));
  try {
    writeFileSync(join(directory, name), fileOf(name));
    return await use(join(directory, name));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

const envoy = component("NEWLEAF_ENVOY");
test.skipIf(envoy === undefined)("Envoy accepts the bootstrap of spiffe-demo (envoy)", async () => {
  const result = await withFile("envoy.yaml", (path) => run(envoy ?? "", ["--mode", "validate", "-c", path]));
  expect(result, result.stderr).toMatchObject({ code: 0 });
});

test("newleaf helper accepts the file of spiffe-demo, and only misses what the cluster has", async () => {
  const { code, stderr } = await withFile("helper.conf", (path) =>
    runNewleaf(["helper", "-config", path, "-daemon-mode=false", "--fetch-timeout=100ms"]),
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(/cert_dir|\/certs|spire-agent\.sock/);
  expect(stderr).not.toMatch(/helper\.conf:\d+/);
});
