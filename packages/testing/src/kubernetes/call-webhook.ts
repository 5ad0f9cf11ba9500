import { Agent, request } from "node:https";
import { isIP } from "node:net";
import type { CallWebhook, WebhookCall } from "./admission.ts";
import { urlOf } from "./admission-failure.ts";
import { isJsonObject, type Json, type JsonObject } from "./json.ts";

/** Where a Service leads: an address to connect to, or undefined when nothing is behind it. */
export type ResolveService = (
  namespace: string,
  name: string,
  port: number,
) => { readonly host: string; readonly port: number } | undefined;

const MAX_ANSWER_BYTES = 3 * 1024 * 1024;

/**
 * Calls webhooks over HTTPS, trusting the `caBundle` alone, by the name that a Service has in the cluster. Connections
 * are kept per bundle, so that a changed bundle is heeded at once. Disposal ends them.
 */
export function createWebhookCaller(resolveService: ResolveService | undefined): {
  readonly call: CallWebhook;
  close(): void;
} {
  const agents = new Map<string, Agent>();
  const agentFor = (key: string): Agent => {
    const agent = agents.get(key) ?? new Agent({ keepAlive: true, minVersion: "TLSv1.2" });
    agents.set(key, agent);
    return agent;
  };
  return {
    call: async (call) => {
      const { webhook } = call;
      const { caBundle, service } = webhook.clientConfig;
      const url = new URL(urlOf(webhook));
      const address = service && resolveService?.(service.namespace, service.name, service.port);
      if (service && !address) {
        throw new Error(
          resolveService
            ? `Post "${url.href}": no endpoints available for service ${JSON.stringify(service.name)}`
            : `service ${JSON.stringify(service.name)} not found`,
        );
      }
      const servername = service ? `${service.name}.${service.namespace}.svc` : url.hostname;
      return post(call, url, {
        agent: agentFor(`${webhook.configuration}/${webhook.name}/${caBundle ?? ""}`),
        host: address?.host ?? url.hostname,
        port: address?.port ?? (Number(url.port) || 443),
        // An empty list, not the system's roots, where there is no bundle.
        ca: caBundle ?? [],
        ...(isIP(servername) ? {} : { servername }),
      });
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
      agents.clear();
    },
  };
}

function post(
  { webhook, review, timeoutMs, signal }: WebhookCall,
  url: URL,
  connection: { agent: Agent; host: string; port: number; ca: string | string[]; servername?: string },
): Promise<JsonObject> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify(review);
    const deadline = AbortSignal.timeout(timeoutMs);
    const path = `${url.pathname}?timeout=${timeoutMs / 1000}s`;
    const headers = {
      host: url.host,
      accept: "application/json, */*",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
      "user-agent": "kube-apiserver-admission",
    };
    const options = {
      ...connection,
      method: "POST",
      path,
      headers,
      signal: AbortSignal.any([deadline, signal]),
    };
    const outgoing = request(options, (response) => {
      const chunks: Buffer[] = [];
      let size = 0;
      response.on("data", (chunk: Buffer) => {
        size += chunk.length;
        if (size > MAX_ANSWER_BYTES) response.destroy(new Error("the answer is too large"));
        else chunks.push(chunk);
      });
      response.on("error", reject);
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const status = response.statusCode ?? 0;
        if (status !== 200) {
          return reject(
            new Error(
              `an error on the server (${JSON.stringify(text.slice(0, 200))}) has prevented the request from succeeding`,
            ),
          );
        }
        const answer = parse(text);
        if (answer) resolve(answer);
        else reject(new Error(`the answer of ${webhook.name} is not JSON`));
      });
    });
    outgoing.on("error", (error: Error & { code?: string }) => {
      reject(
        deadline.aborted
          ? Object.assign(new Error("context deadline exceeded"), { code: "ETIMEDOUT" })
          : error,
      );
    });
    outgoing.end(body);
  });
}

function parse(text: string): JsonObject | undefined {
  try {
    const value = JSON.parse(text) as Json;
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
