// A Workload API with many identities and federated trust domains, at a socket for each watcher, so that one can be sent
// something while the others rest.  node workload-api.ts SVIDS BUNDLES SOCKET...
import { createInterface } from "node:readline";
import { create, toBinary } from "@bufbuild/protobuf";
import { X509SVIDResponseSchema } from "@newleaf/proto";
import { createSpiffeAuthority, startWorkloadApi, type WorkloadApiServer } from "@newleaf/testing";

/** Each line that it reads. */
export interface PushRequest {
  /** Which of the sockets. */
  readonly socket: number;
}

/** Each line that it writes, after the first. */
export interface PushAnswer {
  /** Milliseconds of the machine's monotonic clock, just before it sent. */
  readonly atMs: number;
}

const [svids = "", bundles = "", ...paths] = process.argv.slice(2);
const authority = createSpiffeAuthority({ trustDomain: "example.org" });
const federatedBundles = Object.fromEntries(
  Array.from({ length: Number(bundles) }, (_, index) => {
    const other = createSpiffeAuthority({ trustDomain: `federated-${index}.example` });
    return [other.id, other.x509Bundle()];
  }),
);
// Encoded beforehand, so that what is timed is the way to the watcher; two, so that each differs from the one before.
const messages = [encodeMessage(), encodeMessage()];
const servers: WorkloadApiServer[] = [];
for (const path of paths) {
  const server = await startWorkloadApi({ authority, path, started: false });
  server.sendOctets(messages[1]!);
  await server.start();
  servers.push(server);
}
say({ octets: messages[0]!.length });

let pushes = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const { socket } = JSON.parse(line) as PushRequest;
  const octets = messages[pushes++ % messages.length]!;
  const atMs = Number(process.hrtime.bigint()) / 1e6;
  servers[socket]!.sendOctets(octets);
  say({ atMs } satisfies PushAnswer);
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function encodeMessage(): Uint8Array {
  const bundle = authority.x509Bundle();
  const issued = Array.from({ length: Number(svids) }, (_, index) =>
    authority.issueX509Svid({ path: `/workload-${index}`, hint: `workload-${index}` }),
  );
  const message = create(X509SVIDResponseSchema, {
    svids: issued.map(({ spiffeId, hint, certificates, key }) => ({
      spiffeId,
      hint,
      x509Svid: certificates,
      x509SvidKey: key,
      bundle,
    })),
    federatedBundles,
  });
  return toBinary(X509SVIDResponseSchema, message);
}
