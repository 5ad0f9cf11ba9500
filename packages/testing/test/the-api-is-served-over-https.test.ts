import { request } from "node:https";
import { expect, onTestFinished, test } from "vitest";
import { type KubernetesApi, startKubernetesApi } from "../src/index.ts";

interface Got {
  readonly status: number;
  readonly text: string;
}

function get(
  api: KubernetesApi & { url: string },
  path: string,
  options: { ca: string; token?: string; cert?: string; key?: string; method?: string; body?: string },
): Promise<Got> {
  const { token, body, ...rest } = options;
  const headers = {
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    "content-type": "application/json",
  };
  return new Promise((resolve, reject) => {
    const outgoing = request(`${api.url}${path}`, { ...rest, headers, agent: false }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text })).on("error", reject);
    });
    outgoing.on("error", reject).end(body);
  });
}

async function start(options: Parameters<typeof startKubernetesApi>[0] = {}) {
  const api = await startKubernetesApi({ authorization: "rbac", ...options });
  onTestFinished(() => api[Symbol.asyncDispose]());
  return api;
}

test("a bearer token is who it was made for, until tokens are rotated", async () => {
  const api = await start();
  const ca = api.listener.caPem;
  const token = api.token("admin");
  expect((await get(api, "/api/v1/secrets", { ca, token })).status).toBe(200);
  expect((await get(api, "/api/v1/secrets", { ca, token: "other" })).status).toBe(401);
  expect(JSON.parse((await get(api, "/api/v1/secrets", { ca })).text).message).toBe(
    'secrets is forbidden: User "system:anonymous" cannot list resource "secrets" in API group "" at the cluster scope',
  );
  api.rotateTokens();
  expect((await get(api, "/api/v1/secrets", { ca, token })).status).toBe(401);
  expect((await get(api, "/api/v1/secrets", { ca, token: api.token("admin") })).status).toBe(200);
});

test("a client certificate is its CN, in the groups of its Os", async () => {
  const api = await start();
  const ca = api.listener.caPem;
  const admin = api.listener.clientCertificate("root", ["system:masters", "ops"]);
  const bob = api.listener.clientCertificate("bob");
  const asked = (identity: typeof bob) =>
    get(api, "/api/v1/secrets", { ca, cert: identity.chainPem, key: identity.keyPem });
  expect((await asked(admin)).status).toBe(200);
  expect((await asked(bob)).text).toContain('User \\"bob\\" cannot list');
});

test("a new authority is not trusted by those who know the old one", async () => {
  const api = await start();
  const old = api.listener.caPem;
  api.listener.rotateCertificate();
  expect((await get(api, "/readyz", { ca: old })).text).toBe("ok");
  api.listener.rotateCertificate({ authority: true });
  await expect(get(api, "/readyz", { ca: old })).rejects.toThrow(/self-signed|verify|local issuer/);
  expect((await get(api, "/readyz", { ca: api.listener.caPem })).text).toBe("ok");
});

test("an API server that is away refuses connections, and is back at the same address", async () => {
  const api = await start();
  const ca = api.listener.caPem;
  await api.listener.setAvailable(false);
  await expect(get(api, "/readyz", { ca })).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await api.listener.setAvailable(true);
  expect((await get(api, "/readyz", { ca })).text).toBe("ok");
});

test("a body beyond the limit is 413, and a reset reaches the client as one", async () => {
  const api = await start();
  const ca = api.listener.caPem;
  const token = api.token("admin");
  const path = "/api/v1/namespaces/default/configmaps";
  const body = JSON.stringify({ metadata: { name: "a" }, data: { k: "x".repeat(3 * 1024 * 1024) } });
  expect((await get(api, path, { ca, token, method: "POST", body })).status).toBe(413);
  api.faults.once({ kind: "cut", at: "line" });
  await expect(get(api, path, { ca, token })).rejects.toMatchObject({ code: "ECONNRESET" });
});
