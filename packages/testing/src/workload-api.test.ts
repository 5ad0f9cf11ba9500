import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { create } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import {
  grpcMethod,
  JWTSVIDRequestSchema,
  SpiffeWorkloadAPI,
  ValidateJWTSVIDRequestSchema,
  X509SVIDRequestSchema,
  type X509SVIDResponse,
} from "@newleaf/proto";
import { createTrustBundle, parseCertificate, validatePath } from "@newleaf/x509";
import { expect, onTestFinished, test } from "vitest";
import { createSpiffeAuthority } from "./spiffe-authority.ts";
import { startWorkloadApi, type WorkloadApiServer } from "./workload-api.ts";

const authority = createSpiffeAuthority();
const method = grpcMethod(SpiffeWorkloadAPI.method.fetchX509SVID);

function connect(server: WorkloadApiServer): Client {
  const client = new Client(server.address.replace("tcp://", ""), credentials.createInsecure());
  onTestFinished(() => client.close());
  return client;
}

function header(value = "true"): Metadata {
  const metadata = new Metadata();
  metadata.set("workload.spiffe.io", value);
  return metadata;
}

/** The messages of a stream, then its end. */
async function* stream(
  client: Client,
  metadata: Metadata = header(),
): AsyncGenerator<X509SVIDResponse, void> {
  const call = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    create(X509SVIDRequestSchema),
    metadata,
  );
  onTestFinished(() => call.cancel());
  yield* call;
}

async function codeOf(promise: Promise<unknown>): Promise<status | undefined> {
  return promise.then(
    () => undefined,
    (error: ServiceError) => error.code,
  );
}

test.each([false, true])(
  "serves SVIDs that verify to the bundle that comes with them, tcp: %s",
  async (tcp) => {
    await using server = await startWorkloadApi({ authority, tcp });
    const { value } = await stream(connect(server)).next();
    const [svid] = value!.svids;
    expect(svid!.spiffeId).toBe("spiffe://example.org/workload");
    const anchors = createTrustBundle([parseCertificate(svid!.bundle)]);
    const options = { now: new Date(), purpose: "clientAuth" } as const;
    expect(validatePath(parseCertificate(svid!.x509Svid), anchors, options).ok).toBe(true);
    expect(server.counters).toMatchObject({ calls: { FetchX509SVID: 1 }, open: { FetchX509SVID: 1 } });
  },
);

test.each([new Metadata(), header("True"), header("false")])(
  "refuses a call without the metadata",
  async (wrong) => {
    await using server = await startWorkloadApi({ authority });
    expect(await codeOf(stream(connect(server), wrong).next())).toBe(status.INVALID_ARGUMENT);
    expect(server.counters).toMatchObject({ calls: { FetchX509SVID: 0 }, withoutMetadata: 1 });
  },
);

test("sends every change to open streams, each time the whole of it", async () => {
  await using server = await startWorkloadApi({ authority, workloads: [{}, { path: "/b", hint: "b" }] });
  const messages = stream(connect(server));
  const first = (await messages.next()).value!;
  expect(first.svids.map(({ hint }) => hint)).toEqual(["", "b"]);
  server.rotate();
  const second = (await messages.next()).value!;
  expect(second.svids[0]!.x509Svid).not.toEqual(first.svids[0]!.x509Svid);
  server.federate(createSpiffeAuthority({ trustDomain: "other.org" }));
  expect(Object.keys((await messages.next()).value!.federatedBundles)).toEqual(["spiffe://other.org"]);
  server.unfederate("other.org");
  expect((await messages.next()).value!.federatedBundles).toEqual({});
  server.redact();
  expect((await messages.next()).value!.svids).toEqual([]);
});

test("ends streams with the status asked for, until it recovers", async () => {
  await using server = await startWorkloadApi({ authority });
  const client = connect(server);
  const messages = stream(client);
  await messages.next();
  server.deny();
  expect(await codeOf(messages.next())).toBe(status.PERMISSION_DENIED);
  expect(await codeOf(stream(client).next())).toBe(status.PERMISSION_DENIED);
  server.recover();
  const again = stream(client);
  await again.next();
  server.drop();
  expect(await again.next()).toMatchObject({ done: true });
  await server.until(({ open }) => open.FetchX509SVID === 0);
});

test("stops and starts again at the same socket, and leaves nothing behind", async () => {
  const server = await startWorkloadApi({ authority });
  const socket = server.address.slice("unix://".length);
  const messages = stream(connect(server));
  await messages.next();
  await server.stop();
  expect(existsSync(socket)).toBe(false);
  expect(await codeOf(messages.next())).not.toBe(undefined);
  await server.start();
  await stream(connect(server)).next();
  await server[Symbol.asyncDispose]();
  expect(existsSync(dirname(socket))).toBe(false);
});

test("octets are sent as they are", async () => {
  await using server = await startWorkloadApi({ authority });
  server.sendOctets(Buffer.from("no protobuf"));
  expect(await codeOf(stream(connect(server)).next())).toBe(status.INTERNAL);
});

test("JWT-SVIDs are signed for an audience and validated for it", async () => {
  await using server = await startWorkloadApi({ authority });
  const client = connect(server);
  const fetching = grpcMethod(SpiffeWorkloadAPI.method.fetchJWTSVID);
  const request = create(JWTSVIDRequestSchema, { audience: ["db"] });
  const { svids } = await new Promise<ReturnType<typeof fetching.responseDeserialize>>((resolve, reject) => {
    client.makeUnaryRequest(
      fetching.path,
      fetching.requestSerialize,
      fetching.responseDeserialize,
      request,
      header(),
      (error, response) => (response ? resolve(response) : reject(error)),
    );
  });
  const validating = grpcMethod(SpiffeWorkloadAPI.method.validateJWTSVID);
  const validate = (audience: string) =>
    new Promise<ReturnType<typeof validating.responseDeserialize>>((resolve, reject) => {
      client.makeUnaryRequest(
        validating.path,
        validating.requestSerialize,
        validating.responseDeserialize,
        create(ValidateJWTSVIDRequestSchema, { audience, svid: svids[0]!.svid }),
        header(),
        (error, response) => (response ? resolve(response) : reject(error)),
      );
    });
  expect(await validate("db")).toMatchObject({ spiffeId: "spiffe://example.org/workload" });
  expect(await codeOf(validate("other"))).toBe(status.INVALID_ARGUMENT);
});

test("an authority rolls over in three steps", () => {
  const rolling = createSpiffeAuthority();
  const [old] = rolling.x509Authorities;
  rolling.prepare();
  expect(rolling.x509Authorities).toHaveLength(2);
  expect(rolling.issueX509Svid().identity.certificate.issuer).toEqual(old!.subject);
  expect(rolling.x509.root.certificate.sha256).toBe(old!.sha256);
  rolling.activate();
  expect(rolling.x509.root.certificate.sha256).not.toBe(old!.sha256);
  rolling.retire();
  expect(rolling.x509Authorities).toEqual([rolling.x509.root.certificate]);
  expect(JSON.parse(rolling.bundleDocument({ sequence: 2n ** 60n })).keys).toHaveLength(2);
});
