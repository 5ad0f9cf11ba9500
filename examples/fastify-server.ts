import { allow, peerOf, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";
import fastify from "fastify";

const identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
const app = fastify({ https: serverOptions(identity) });
rotateServer(app.server, identity, { authorize: allow.dns("frontend.shop.svc") });

app.get("/", (request) => ({ hello: peerOf(request.raw.socket)?.dnsNames[0] }));
await app.listen({ port: Number(process.env.PORT ?? 8443), host: "127.0.0.1" });
console.log("listening on", app.server.address());
