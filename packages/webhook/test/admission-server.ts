import { once } from "node:events";
import type { ClientRequest, IncomingMessage } from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import { createIdentityHolder, type IdentitySource, rotateServer, serverOptions } from "@newleaf/rotation";
import { createTestAuthority, type TestIdentity } from "@newleaf/testing";
import { type AdmissionHandlerOptions, createAdmissionHandler } from "../src/admission.ts";
import type { ReviewRecord } from "../src/admission-record.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  // biome-ignore lint/suspicious/noExplicitAny: whatever JSON the server sent
  readonly body: any;
}

interface Asking {
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly agent?: https.Agent;
}

export interface AdmissionServer extends AsyncDisposable {
  readonly server: https.Server;
  readonly records: readonly ReviewRecord[];
  readonly logged: readonly { readonly level: string; readonly fields: object; readonly message: string }[];
  /** The next review that is over. */
  whenRecorded(): Promise<ReviewRecord>;
  /** Publishes another leaf. */
  rotate(): void;
  open(asking?: Asking): ClientRequest;
  /** Sends a body, JSON unless it is octets already. */
  ask(body: object | string | Uint8Array, asking?: Asking): Promise<Answer>;
}

/** The handler behind a rotating https server that asks no client for a certificate. */
export async function startAdmissionServer(options: AdmissionHandlerOptions): Promise<AdmissionServer> {
  const authority = createTestAuthority();
  const holder = createIdentityHolder();
  const publish = (identity: TestIdentity): void => {
    const { chainPem, key } = identity;
    holder.offer({ certificates: chainPem, key, trust: authority.certificates });
  };
  publish(authority.issue());
  const source: IdentitySource = holder.asSource({ reload: async () => {}, close: async () => {} });
  const records: ReviewRecord[] = [];
  const logged: { level: string; fields: object; message: string }[] = [];
  const waiting: ((record: ReviewRecord) => void)[] = [];
  const log = (level: string) => (fields: object, message: string) =>
    void logged.push({ level, fields, message });
  const server = https.createServer(
    serverOptions(source, { clientCertificates: "none" }),
    createAdmissionHandler({
      logger: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
      ...options,
      onReview(record) {
        records.push(record);
        waiting.shift()?.(record);
        options.onReview?.(record);
      },
    }),
  );
  const rotation = rotateServer(server, source, { clientCertificates: "none" });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const { port } = server.address() as AddressInfo;
  const agent = new https.Agent({ keepAlive: true, ca: authority.trustPem });
  const open = ({ path = "/validate", method = "POST", headers = {}, agent: own = agent }: Asking = {}) =>
    https.request({
      host: "127.0.0.1",
      port,
      path,
      method,
      ca: authority.trustPem,
      agent: own,
      headers: { "content-type": "application/json", ...headers },
    });
  return {
    server,
    records,
    logged,
    whenRecorded: () => new Promise((resolve) => void waiting.push(resolve)),
    rotate: () => publish(authority.issue()),
    open,
    async ask(body, asking) {
      const request = open(asking);
      request.end(typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body));
      return answerTo(request);
    },
    async [Symbol.asyncDispose]() {
      agent.destroy();
      server.closeAllConnections();
      server.close();
      await rotation[Symbol.asyncDispose]();
      await source[Symbol.asyncDispose]();
    },
  };
}

/** Its answer, which must be JSON. */
export async function answerTo(request: ClientRequest): Promise<Answer> {
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const { statusCode: status = 0, headers } = response;
  return { status, headers, body: JSON.parse(String(Buffer.concat(chunks))) };
}

/** An AdmissionReview as the API server sends it. */
export function reviewOf(request: object = {}): object {
  return {
    kind: "AdmissionReview",
    apiVersion: "admission.k8s.io/v1",
    request: {
      uid: "705ab4f5-6393-11e8-b7cc-42010a800002",
      kind: { group: "apps", version: "v1", kind: "Deployment" },
      resource: { group: "apps", version: "v1", resource: "deployments" },
      requestKind: { group: "apps", version: "v1", kind: "Deployment" },
      requestResource: { group: "apps", version: "v1", resource: "deployments" },
      name: "web",
      namespace: "shop",
      operation: "UPDATE",
      userInfo: { username: "admin", uid: "1", groups: ["system:authenticated"], extra: { key: ["a", "b"] } },
      object: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: "shop" } },
      oldObject: { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: "shop" } },
      options: { apiVersion: "meta.k8s.io/v1", kind: "UpdateOptions" },
      dryRun: false,
      ...request,
    },
  };
}
