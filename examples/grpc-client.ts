import { Client, credentials } from "@grpc/grpc-js";
import { createHookConsumer, type Generation, startRotation, watchFiles } from "@newleaf/rotation";
import { greeter } from "./greeter.ts";

await using identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });

// A channel for each generation; calls under way on the one before finish there.
let channel = connect(identity.current());
function connect({ secureContext }: Generation): Client {
  const target = process.env.TARGET ?? "backend-svc:8443";
  return new Client(target, credentials.createFromSecureContext(secureContext));
}
function reconnect(generation: Generation): void {
  channel.close();
  channel = connect(generation);
}
await using _rotation = startRotation(identity, [createHookConsumer({ name: "grpc", load: reconnect })]);

let reply: string | undefined;
do {
  reply = await hello("frontend");
  console.log(reply);
} while (reply?.startsWith("hello"));
channel.close();

function hello(name: string): Promise<string | undefined> {
  const { path, requestSerialize, responseDeserialize } = greeter.hello;
  return new Promise((resolve, reject) => {
    channel.makeUnaryRequest(path, requestSerialize, responseDeserialize, name, (error, message) =>
      error ? reject(error) : resolve(message),
    );
  });
}
