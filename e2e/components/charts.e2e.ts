// The charts render, refuse what cannot rotate, and their rendered copies are current. Needs: helm.
import { expect, test } from "vitest";
import { component } from "../component.ts";
import { run } from "../process.ts";

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
