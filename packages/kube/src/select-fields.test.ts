import { describe, expect, expectTypeOf, it } from "vitest";
import { delimited, entries, enveloped, frame, together, varint } from "../test/encode-proto.ts";
import { createKubeClient } from "./client.ts";
import type { KubeObject } from "./kube-object.ts";
import { defineResource, resources } from "./resources.ts";
import { selectFields } from "./select-fields.ts";
import { valueOrThrow } from "./status.ts";
import type { KubeRequest, KubeTransport } from "./transport.ts";

const PROTOBUF = "application/vnd.kubernetes.protobuf";
const deployments = selectFields(resources.deployments, {
  metadata: { labels: true },
  spec: { replicas: true, template: { spec: { containers: { image: true } } } },
});

const container = together(2, [delimited(1, "main"), delimited(2, "shop:1"), delimited(3, "sh")]);
const web = Buffer.concat([
  together(1, [
    delimited(1, "web"),
    delimited(2, ""),
    delimited(3, "n"),
    delimited(5, "u"),
    delimited(6, "7"),
    varint(7, 3),
    entries(11, { app: "web" }),
    entries(12, { secret: "of nobody's interest" }),
    together(17, [delimited(1, "kubectl")]),
  ]),
  together(2, [varint(1, 0), together(3, [together(2, [container])]), varint(7, 1)]),
  together(3, [varint(2, 5)]),
]);
const selected = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "n", uid: "u", resourceVersion: "7", labels: { app: "web" } },
  spec: { replicas: 0, template: { spec: { containers: [{ image: "shop:1" }] } } },
};
const inJson = {
  ...selected,
  metadata: { ...selected.metadata, generation: 3, managedFields: [{}], annotations: null },
  spec: {
    ...selected.spec,
    paused: true,
    template: { spec: { containers: [{ name: "main", image: "shop:1" }] } },
  },
  status: { replicas: 5 },
};

describe("the selected fields", () => {
  it.each([
    ["protobuf", PROTOBUF, enveloped("apps/v1", "Deployment", web)],
    ["JSON, where the server has nothing else", "application/json", Buffer.from(JSON.stringify(inJson))],
  ])("of an object in %s", async (_, type, body) => {
    const { client, asked } = server(200, type, body);
    const answer = await client.resource(deployments, { namespace: "n" }).get("web");
    expect(answer).toStrictEqual({ ok: true, value: selected });
    expect(asked()?.headers.accept).toBe(`${PROTOBUF}, application/json`);
  });

  const list = Buffer.concat([
    together(1, [delimited(2, "9"), delimited(3, "next"), varint(4, 12)]),
    delimited(2, web),
    delimited(2, web),
  ]);
  const { apiVersion: _, kind: __, ...item } = inJson;
  const metadata = { resourceVersion: "9", continue: "next", remainingItemCount: 12 };
  it.each([
    ["protobuf", PROTOBUF, enveloped("apps/v1", "DeploymentList", list)],
    ["JSON", "application/json", Buffer.from(JSON.stringify({ metadata, items: [item, item] }))],
  ])("of a list in %s", async (_, type, body) => {
    const { client } = server(200, type, body);
    const answer = await client.resource(deployments).list();
    expect(answer).toStrictEqual({ ok: true, value: { items: [selected, selected], metadata } });
  });

  it.each([
    ["protobuf", `${PROTOBUF};stream=watch`, frame("MODIFIED", enveloped("apps/v1", "Deployment", web))],
    ["JSON", "application/json", Buffer.from(`${JSON.stringify({ type: "MODIFIED", object: inJson })}\n`)],
  ])("of an event in %s", async (_, type, body) => {
    const { client } = server(200, type, body);
    const stream = valueOrThrow(await client.resource(deployments).watch(), "watch");
    expect((await stream.next()).value).toStrictEqual({ type: "MODIFIED", object: selected });
    expect((await stream.next()).done).toBe(true);
  });
});

describe("what is asked for", () => {
  const cluster = defineResource<KubeObject & { spec?: { a?: string; b?: string } }>(
    "example.com/v1",
    "clusters",
    "Cluster",
  );
  it.each([
    ["a kind of which nothing is known", selectFields(cluster, { spec: { a: true } })],
    [
      "all of a message that is known in part",
      selectFields(resources.deployments, { spec: { template: true } }),
    ],
    ["a field that is not known", selectFields(resources.deployments, { metadata: { managedFields: true } })],
  ])("is JSON for %s", async (_, resource) => {
    const object = { metadata: { name: "x" }, spec: { a: "1", b: "2", template: { c: "3" } } };
    const { client, asked } = server(200, "application/json", Buffer.from(JSON.stringify(object)));
    await client.resource(resource, { namespace: "n" }).get("x");
    expect(asked()?.headers.accept).toBe("application/json");
  });

  it("is kept of a kind of which nothing is known", async () => {
    const object = {
      kind: "Cluster",
      apiVersion: "example.com/v1",
      metadata: { name: "x" },
      spec: { a: "1", b: "2" },
    };
    const { client } = server(200, "application/json", Buffer.from(JSON.stringify(object)));
    const answer = await client
      .resource(selectFields(cluster, { spec: { a: true } }), { namespace: "n" })
      .get("x");
    expect(answer).toStrictEqual({ ok: true, value: { ...object, spec: { a: "1" } } });
  });
});

describe("what cannot be read", () => {
  it.each([
    ["another kind", enveloped("v1", "Secret", web)],
    ["half of an object", enveloped("apps/v1", "Deployment", web.subarray(0, -1))],
    ["half of an envelope", enveloped("apps/v1", "Deployment", web).subarray(0, 50)],
    ["nothing", Buffer.alloc(0)],
    ["no protobuf", Buffer.from("<html>")],
  ])("%s is ERR_KUBE_PROTOCOL", async (_, body) => {
    const { client } = server(200, PROTOBUF, body);
    const get = client.resource(deployments, { namespace: "n" }).get("web");
    await expect(get).rejects.toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
  });

  it("a list that breaks off is none, and the request is ended", async () => {
    const whole = enveloped(
      "apps/v1",
      "DeploymentList",
      Buffer.concat([delimited(2, web), delimited(2, web)]),
    );
    const { client, asked } = server(200, PROTOBUF, whole.subarray(0, -20));
    await expect(client.resource(deployments).list()).rejects.toMatchObject({ code: "ERR_KUBE_PROTOCOL" });
    expect(asked()?.signal.aborted).toBe(true);
  });
});

it("a refusal in protobuf is the one that JSON would be", async () => {
  const cause = together(4, [delimited(1, "FieldValueInvalid"), delimited(2, "no"), delimited(3, "spec")]);
  const status = [
    delimited(3, "wait"),
    delimited(4, "TooManyRequests"),
    together(5, [delimited(1, "web"), delimited(2, ""), varint(5, 2), cause]),
    varint(6, 429),
  ];
  const { client } = server(429, PROTOBUF, enveloped("v1", "Status", Buffer.concat(status)));
  expect(await client.resource(deployments).list()).toMatchObject({
    ok: false,
    status: {
      code: 429,
      reason: "TooManyRequests",
      message: "wait",
      retryAfterMs: 2000,
      details: { name: "web", causes: [{ reason: "FieldValueInvalid", message: "no", field: "spec" }] },
    },
  });
});

it("nothing is in the type that was not selected", () => {
  type Read = NonNullable<(typeof deployments)["object"]>;
  expectTypeOf<keyof NonNullable<Read["spec"]>>().toEqualTypeOf<"replicas" | "template">();
  expectTypeOf<NonNullable<Read["metadata"]>["uid"]>().toEqualTypeOf<string | undefined>();
  // @ts-expect-error: no such field
  selectFields(resources.deployments, { spec: { replica: true } });
  const readers = createKubeClient({ transport: server(200, "", Buffer.alloc(0)).transport });
  expect(readers.resource(deployments)).not.toHaveProperty("update");
});

function server(status: number, type: string, body: Buffer) {
  let asked: KubeRequest | undefined;
  const transport: KubeTransport = {
    server: "https://kube.test",
    send: async (request) => {
      asked = request;
      return {
        status,
        headers: { "content-type": type },
        body: (async function* () {
          yield body;
        })(),
      };
    },
    [Symbol.asyncDispose]: async () => {},
  };
  return { transport, client: createKubeClient({ transport }), asked: () => asked };
}
