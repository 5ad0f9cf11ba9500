import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { connectKube } from "./connect.ts";
import { inClusterConfig } from "./in-cluster.ts";

let directory = "";
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "service-account-"));
  await writeFile(join(directory, "namespace"), "shop\n");
});
afterAll(() => rm(directory, { recursive: true, force: true }));

it.each([
  ["10.0.0.1", "https://10.0.0.1:443/"],
  ["fd00::1", "https://[fd00::1]:443/"],
])("a Pod's API server and account, at %s", async (KUBERNETES_SERVICE_HOST, server) => {
  const env = { KUBERNETES_SERVICE_HOST, KUBERNETES_SERVICE_PORT: "443" };
  expect(await inClusterConfig({ env, directory })).toEqual({
    server,
    namespace: "shop",
    origin: `the service account in ${directory}`,
    tls: { ca: { file: join(directory, "ca.crt") } },
    user: { tokenFile: join(directory, "token") },
  });
});

it("outside of a Pod there is none", async () => {
  await expect(inClusterConfig({ env: {}, directory })).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
});

it("is connected to where no kubeconfig is, and never when a context is asked for", async () => {
  const env = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443", HOME: directory };
  await using kube = await connectKube({ env, serviceAccountDirectory: directory });
  expect(kube.namespace).toBe("shop");
  expect(kube.client.server).toBe("https://10.0.0.1:443");
  await expect(connectKube({ env, context: "prod" })).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
  await expect(connectKube()).rejects.toMatchObject({ code: "ERR_KUBE_CONFIG" });
});
