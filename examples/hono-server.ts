import https from "node:https";
import { getRequestListener } from "@hono/node-server";
import { allow, rotateServer, serverOptions, watchFiles } from "@newleaf/rotation";
import { Hono } from "hono";

const app = new Hono();
app.get("/", (context) => context.json({ hello: "hono" }));

const identity = await watchFiles({ directory: process.env.CERTS ?? "/etc/tls" });
const server = https.createServer(serverOptions(identity), getRequestListener(app.fetch));
rotateServer(server, identity, { authorize: allow.dns("frontend.shop.svc") });

server.listen(Number(process.env.PORT ?? 8443), () => console.log("listening on", server.address()));
