import tls from "node:tls";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import {
  allow,
  createHookConsumer,
  rotateServer,
  serverOptions,
  startRotation,
  watchFiles,
} from "@newleaf/rotation";
import { type Greeter, greeter } from "./greeter.ts";

const grpc = new Server();
grpc.addService(greeter, {
  hello: (call, reply) => reply(null, `hello ${call.getAuthContext().sslPeerCertificate?.subjectaltname}`),
} satisfies Greeter);

// TLS is ours, gRPC gets the connections that were let in: "insecure" is only what it knows of them.
const connections = () => grpc.createConnectionInjector(ServerCredentials.createInsecure());
let injector = connections();

const identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
const server = tls.createServer({ ...serverOptions(identity), ALPNProtocols: ["h2"] });
server.on("secureConnection", (socket) => injector.injectConnection(socket));
rotateServer(server, identity, { authorize: allow.dns("frontend.shop.svc") });

// A rotation sends GOAWAY on the connections of before: calls under way finish, new ones come on a new connection.
const goaway = () => {
  injector.destroy();
  injector = connections();
};
startRotation(identity, [createHookConsumer({ name: "grpc", load: goaway })]);

server.listen(Number(process.env.PORT ?? 8443), () => console.log("listening on", server.address()));
