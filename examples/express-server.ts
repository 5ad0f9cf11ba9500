import https from "node:https";
import { allow, peerOf, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";
import express from "express";

const app = express();
app.get("/", (request, response) => {
  response.json({ hello: peerOf(request.socket)?.dnsNames[0] });
});

const identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
const server = https.createServer(serverOptions(identity), app);
rotateServer(server, identity, { authorize: allow.dns("frontend.shop.svc") });

server.listen(Number(process.env.PORT ?? 8443), () => console.log("listening on", server.address()));
