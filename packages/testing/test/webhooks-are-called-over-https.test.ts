import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createKubernetesApi, createTestAuthority, type KubernetesApi } from "../src/index.ts";
import { call, configMap, configMaps } from "./api-call.ts";

const authority = createTestAuthority();

/** A webhook that allows everything, under the name of a Service; `answer` false: it never answers. */
async function startWebhook(dnsName: string, answer = true): Promise<{ port: number; asked: string[] }> {
  const { chainPem, keyPem } = authority.issue({ dnsNames: [dnsName], ips: [] });
  const asked: string[] = [];
  const server = createServer({ cert: chainPem, key: keyPem }, (request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    request.on("end", () => {
      asked.push(request.url ?? "");
      if (!answer) return;
      const { uid } = JSON.parse(text).request;
      response.end(
        JSON.stringify({
          kind: "AdmissionReview",
          apiVersion: "admission.k8s.io/v1",
          response: { uid, allowed: true },
        }),
      );
    });
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

function setUp(port: number, caPem: string | undefined): KubernetesApi {
  const api = createKubernetesApi({ resolveService: () => ({ host: "127.0.0.1", port }) });
  onTestFinished(() => api[Symbol.asyncDispose]());
  const service = { namespace: "shop", name: "hook", path: "/validate" };
  const caBundle = caPem && Buffer.from(caPem).toString("base64");
  api.store.create("validatingwebhookconfigurations.admissionregistration.k8s.io", {
    metadata: { name: "hooks" },
    webhooks: [
      {
        name: "check.newleaf.test",
        clientConfig: { service, ...(caBundle ? { caBundle } : {}) },
        rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["configmaps"] }],
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        timeoutSeconds: 1,
      },
    ],
  });
  return api;
}

test("a Service is called by its name in the cluster, trusting its bundle", async () => {
  const { port, asked } = await startWebhook("hook.shop.svc");
  const api = setUp(port, authority.trustPem);
  expect((await call(api, "POST", configMaps, configMap("a"))).status).toBe(201);
  expect(asked).toEqual(["/validate?timeout=1s"]);
});

test("another authority, no bundle, another name and no answer are each said as the API server says them", async () => {
  const failure = async (port: number, caPem: string | undefined): Promise<string> =>
    (await call(setUp(port, caPem), "POST", configMaps, configMap("a"))).body.message;
  const { port } = await startWebhook("hook.shop.svc");
  const called =
    'Internal error occurred: failed calling webhook "check.newleaf.test": failed to call webhook: Post "https://hook.shop.svc:443/validate?timeout=1s": ';
  const unknown = `${called}tls: failed to verify certificate: x509: certificate signed by unknown authority`;
  expect(await failure(port, createTestAuthority().trustPem)).toBe(unknown);
  expect(await failure(port, undefined)).toBe(unknown);
  const other = await startWebhook("other.shop.svc");
  expect(await failure(other.port, authority.trustPem)).toContain(
    "x509: certificate is not valid for the name",
  );
  const silent = await startWebhook("hook.shop.svc", false);
  expect(await failure(silent.port, authority.trustPem)).toBe(`${called}context deadline exceeded`);
  expect(await failure(1, authority.trustPem)).toContain("connection refused");
});

test("a bundle that is replaced is heeded by the next call", async () => {
  const { port } = await startWebhook("hook.shop.svc");
  const api = setUp(port, createTestAuthority().trustPem);
  expect((await call(api, "POST", configMaps, configMap("a"))).status).toBe(500);
  api.store.change(
    "validatingwebhookconfigurations.admissionregistration.k8s.io",
    undefined,
    "hooks",
    (current) => ({
      ...current,
      webhooks: (current.webhooks as { clientConfig: object }[]).map((webhook) => ({
        ...webhook,
        clientConfig: {
          ...webhook.clientConfig,
          caBundle: Buffer.from(authority.trustPem).toString("base64"),
        },
      })) as never,
    }),
  );
  expect((await call(api, "POST", configMaps, configMap("a"))).status).toBe(201);
});
