import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";

/** Requests with the administrator's certificate that owe nothing to the client under test. */
export interface Administrator {
  /** Rejects when there is no answer, or none of the status codes 2xx, with the API server's words. */
  request<T>(method: string, path: string, body?: object): Promise<T>;
  /** The status code of a GET, or undefined without an answer within two seconds. */
  status(path: string): Promise<number | undefined>;
  close(): void;
}

export function createAdministrator(
  url: string,
  files: { readonly caFile: string; readonly certFile: string; readonly keyFile: string },
): Administrator {
  const agent = new Agent({
    keepAlive: true,
    ca: readFileSync(files.caFile),
    cert: readFileSync(files.certFile),
    key: readFileSync(files.keyFile),
  });
  const send = (
    method: string,
    path: string,
    body: object | undefined,
    timeoutMs: number,
  ): Promise<{ code: number; text: string }> =>
    new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const headers = { "content-type": "application/json" };
      request(new URL(path, url), { agent, method, headers, signal }, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ code: response.statusCode ?? 0, text }));
        response.on("error", reject);
      })
        .on("error", reject)
        .end(body === undefined ? undefined : JSON.stringify(body));
    });

  return {
    async request<T>(method: string, path: string, body?: object) {
      const { code, text } = await send(method, path, body, 15_000);
      if (code < 200 || code > 299) throw new Error(`${method} ${path}: ${code} ${text}`);
      return JSON.parse(text) as T;
    },
    status: (path) =>
      send("GET", path, undefined, 2_000).then(
        ({ code }) => code,
        () => undefined,
      ),
    close: () => agent.destroy(),
  };
}
