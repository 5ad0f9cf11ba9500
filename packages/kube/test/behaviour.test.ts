import { createKubernetesApi, type KubernetesApi } from "@newleaf/testing";
import { afterAll, beforeAll, describe, test } from "vitest";
import { createKubeClient, type KubeClient, type KubeTransport } from "../src/index.ts";
import { runScenario, type ScenarioServer, scenarios } from "./scenarios/index.ts";

// The same list is run against the real kube-apiserver in e2e/components/kube-parity.e2e.ts.
describe("the Kubernetes API of the tests", () => {
  let api: KubernetesApi;
  let server: ScenarioServer;

  beforeAll(() => {
    api = createKubernetesApi({ authorization: "rbac", groups: { alice: ["dev"] }, bookmarkMs: 200 });
    const clientOf = (transport: KubeTransport): KubeClient =>
      createKubeClient({ transport, rateLimit: false });
    server = {
      admin: clientOf(api.transport({ user: "admin" })),
      alice: clientOf(api.transport({ user: "alice" })),
      withToken: (token) => {
        const anonymous = api.transport();
        return clientOf({
          ...anonymous,
          send: (request) =>
            anonymous.send({ ...request, headers: { ...request.headers, authorization: `Bearer ${token}` } }),
        });
      },
      forgetHistory: async () => api.restart({ history: "lost" }),
    };
  });
  afterAll(() => api[Symbol.asyncDispose]());

  for (const scenario of scenarios) test(scenario.name, () => runScenario(scenario, server));
});
