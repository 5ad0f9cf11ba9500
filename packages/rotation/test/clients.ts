import * as https from "node:https";
import { getGlobalDispatcher, setGlobalDispatcher, fetch as undiciFetch } from "undici";
import { createRotatingAgent } from "../src/agent.ts";
import { connectRotatingHttp2 } from "../src/http2-client.ts";
import type { IdentitySource } from "../src/identity-source.ts";
import type { Rotation } from "../src/rotation.ts";
import { createRotatingDispatcher } from "../src/undici.ts";

/** One shape for every rotating client. */
export interface TestClient extends AsyncDisposable {
  readonly rotation: Rotation;
  get(path: string): Promise<{ readonly status: number; readonly text: string }>;
}

export const clients: Readonly<Record<string, (source: IdentitySource, origin: string) => TestClient>> = {
  "https.Agent": (source, origin) => {
    const agent = createRotatingAgent(source);
    return {
      rotation: agent.rotation,
      get: (path) => getWithAgent(agent, `${origin}${path}`),
      [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
    };
  },
  "undici fetch": (source, origin) => {
    const dispatcher = createRotatingDispatcher(source);
    return {
      rotation: dispatcher.rotation,
      async get(path) {
        const response = await undiciFetch(`${origin}${path}`, { dispatcher });
        return { status: response.status, text: await response.text() };
      },
      [Symbol.asyncDispose]: () => dispatcher[Symbol.asyncDispose](),
    };
  },
  "undici request": (source, origin) => {
    const dispatcher = createRotatingDispatcher(source);
    return {
      rotation: dispatcher.rotation,
      async get(path) {
        const { statusCode, body } = await dispatcher.request({ origin, path, method: "GET" });
        return { status: statusCode, text: await body.text() };
      },
      [Symbol.asyncDispose]: () => dispatcher[Symbol.asyncDispose](),
    };
  },
  "global fetch": (source, origin) => {
    const before = getGlobalDispatcher();
    const dispatcher = createRotatingDispatcher(source);
    setGlobalDispatcher(dispatcher);
    return {
      rotation: dispatcher.rotation,
      async get(path) {
        const response = await globalThis.fetch(`${origin}${path}`);
        return { status: response.status, text: await response.text() };
      },
      async [Symbol.asyncDispose]() {
        setGlobalDispatcher(before);
        await dispatcher[Symbol.asyncDispose]();
      },
    };
  },
  http2: (source, origin) => {
    const client = connectRotatingHttp2(source, origin);
    return {
      rotation: client.rotation,
      async get(path) {
        const { status, body } = await client.request({ ":path": path });
        return { status, text: Buffer.concat(await body.toArray()).toString() };
      },
      [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
    };
  },
};

export function getWithAgent(
  agent: https.Agent,
  url: string,
  options: https.RequestOptions = {},
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, { ...options, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text })).on("error", reject);
    });
    request.on("error", reject);
  });
}
