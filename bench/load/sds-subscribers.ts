// Envoys as far as secret discovery sees them: each a connection and a stream of its own. One process plays all of them,
// so it does as little as it can: HTTP/2 without a gRPC library, and answers only when all have received a version. Then
// it tells its parent when each of them did.
import { connect as connectHttp2 } from "node:http2";
import { connect } from "node:net";
import { setTimeout } from "node:timers/promises";
import { create } from "@bufbuild/protobuf";
import { DiscoveryRequestSchema, grpcMethod, SecretDiscoveryService } from "@newleaf/proto";

export interface SubscribersMessage {
  /** When each received it: milliseconds of the machine's monotonic clock. */
  readonly receivedAt: readonly number[];
}

const [path = "", count = "1", name = ""] = process.argv.slice(2);
const method = grpcMethod(SecretDiscoveryService.method.streamSecrets);
let receivedAt: number[] = [];
let answers: (() => void)[] = [];

function subscribe(index: number): void {
  const session = connectHttp2("http://sds", { createConnection: () => connect({ path }) });
  const stream = session.request({
    ":method": "POST",
    ":path": method.path,
    "content-type": "application/grpc",
    te: "trailers",
  });
  const say = (fields: object): void => {
    const message = method.requestSerialize(
      create(DiscoveryRequestSchema, { resourceNames: [name], ...fields }),
    );
    const prefix = Buffer.alloc(5);
    prefix.writeUInt32BE(message.length, 1);
    stream.write(Buffer.concat([prefix, message]));
  };
  let octets = Buffer.alloc(0);
  stream.on("data", (chunk: Buffer) => {
    const at = Number(process.hrtime.bigint()) / 1e6;
    octets = Buffer.concat([octets, chunk]);
    if (octets.length < 5) return;
    const end = 5 + octets.readUInt32BE(1);
    if (octets.length < end) return;
    const message = octets.subarray(5, end);
    octets = octets.subarray(end);
    receivedAt.push(at);
    answers.push(() => {
      const { versionInfo, nonce } = method.responseDeserialize(message);
      say({ versionInfo, responseNonce: nonce });
    });
    if (receivedAt.length === Number(count)) answerAll();
  });
  for (const each of [session, stream]) {
    each.on("error", (error: Error) => {
      console.error(`subscriber ${index}: ${error.message}`);
      process.exit(1);
    });
  }
  say({ node: { id: `envoy-${index}` } });
}

function answerAll(): void {
  const [times, due] = [receivedAt, answers];
  receivedAt = [];
  answers = [];
  for (const answer of due) answer();
  process.send?.({ receivedAt: times } satisfies SubscribersMessage);
}

// One after the other would take long, and all at once more than a socket holds.
for (let index = 0; index < Number(count); index += 1) {
  subscribe(index);
  if (index % 100 === 99) await setTimeout(100);
}
