import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createKubernetesApi } from "@newleaf/testing";
import { expect, it } from "vitest";
import { connectKube, resources, valueOrThrow } from "../src/index.ts";

it("a client in a Pod goes on with another token, another authority, and after a restart, and asks once where it was refused", async () => {
  const user = "system:serviceaccount:shop:app";
  await using api = createKubernetesApi();
  const listener = await api.listen();
  const directory = await mkdtemp(join(tmpdir(), "service-account-"));
  const mount = async (): Promise<void> => {
    await writeFile(join(directory, "token"), api.token(user));
    await writeFile(join(directory, "ca.crt"), listener.caPem);
    await writeFile(join(directory, "namespace"), "shop");
  };
  await mount();
  const env = { KUBERNETES_SERVICE_HOST: "127.0.0.1", KUBERNETES_SERVICE_PORT: String(listener.port) };
  try {
    await using kube = await connectKube({ env, serviceAccountDirectory: directory });
    valueOrThrow(
      await kube.client.resource(resources.namespaces).create({ metadata: { name: "shop" } }),
      "namespace",
    );
    const configMaps = kube.client.resource(resources.configMaps, { namespace: kube.namespace });
    const create = async (name: string): Promise<void> =>
      void valueOrThrow(await configMaps.create({ metadata: { name } }), "create");
    await create("before");
    expect(listener.connections).toBe(1);

    api.rotateTokens();
    expect(await configMaps.get("before")).toMatchObject({ ok: false, status: { reason: "Unauthorized" } });
    await mount();
    await create("with-another-token");
    expect(listener.connections).toBe(1);

    const watch = valueOrThrow(await configMaps.watch(), "watch");
    for (let n = 0; n < 2; n++) expect(await watch.next()).toMatchObject({ value: { type: "ADDED" } });
    const next = watch.next().catch((error: unknown) => error);
    await listener.setAvailable(false);
    expect(await next).toMatchObject({ code: "ERR_KUBE_UNREACHABLE" });
    await expect(configMaps.get("before")).rejects.toMatchObject({ code: "ERR_KUBE_UNREACHABLE" });

    listener.rotateCertificate({ authority: true });
    await listener.setAvailable(true);
    await expect(configMaps.get("before")).rejects.toMatchObject({ code: "ERR_KUBE_TLS" });
    await mount();
    await create("with-another-authority");
    expect(valueOrThrow(await configMaps.list(), "list").items).toHaveLength(3);
  } finally {
    await rm(directory, { recursive: true });
  }
});
