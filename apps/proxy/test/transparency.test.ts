import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { buffer } from "node:stream/consumers";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { startPlainProxy, startTarget } from "./plain-proxy.ts";

const token = fc.string({ unit: fc.constantFrom(..."abcdefXYZ019-_.~!"), minLength: 1, maxLength: 12 });
const fieldValue = fc
  .string({ unit: fc.constantFrom(..."ab 9,;=\"'\\/é\t"), maxLength: 30 })
  .map((text) => text.trim());
const header = fc.tuple(
  token.map((name) => `x-t${name}`),
  fieldValue,
);
const path = fc.array(fc.constantFrom("a", "%2F", "..", ".", "%00", "é", "~", ";p=1", ""), { maxLength: 5 });
const exchange = fc.record({
  method: fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"),
  path: fc
    .tuple(path, fc.constantFrom("", "?", "?a=1&b=%20", "?q=//x"))
    .map(([parts, query]) => `/${parts.join("/")}${query}`),
  headers: fc.array(header, { maxLength: 8 }),
  body: fc.option(fc.uint8Array({ maxLength: 70_000 }), { nil: undefined }),
  chunked: fc.boolean(),
  answer: fc.record({
    status: fc.constantFrom(200, 201, 204, 206, 301, 304, 400, 404, 500, 599),
    headers: fc.array(header, { maxLength: 8 }),
    body: fc.uint8Array({ maxLength: 70_000 }),
    chunked: fc.boolean(),
  }),
});
type Exchange = typeof exchange extends fc.Arbitrary<infer T> ? T : never;

test("what passes through the proxy is what would have passed without it", async () => {
  let current: Exchange;
  let seen: object;
  await using target = await startTarget(async (incoming, response) => {
    const { answer } = current;
    const { method, url } = incoming;
    seen = {
      method,
      url,
      fields: ownFields(incoming.rawHeaders),
      body: (await buffer(incoming)).toString("base64"),
    };
    response.statusCode = answer.status;
    for (const [name, value] of answer.headers) response.appendHeader(name, value);
    const bodiless = incoming.method === "HEAD" || [204, 304].includes(answer.status);
    if (!answer.chunked && !bodiless) response.setHeader("content-length", answer.body.length);
    response.end(bodiless ? undefined : answer.body);
  });
  await using proxy = await startPlainProxy(target.port);
  const agent = new Agent({ keepAlive: true });
  await fc.assert(
    fc.asyncProperty(exchange, async (sample) => {
      current = sample;
      const direct = { got: await send(target.port, sample, agent), seen };
      const proxied = { got: await send(proxy.port, sample, agent), seen };
      expect(proxied).toEqual(direct);
    }),
    { numRuns: 150 },
  );
  agent.destroy();
});

async function send(
  port: number,
  { method, path, headers, body, chunked }: Exchange,
  agent: Agent,
): Promise<object> {
  const outgoing = request({ host: "127.0.0.1", port, method, path, agent });
  for (const [name, value] of headers) outgoing.appendHeader(name, value);
  if (body && !chunked) outgoing.setHeader("content-length", body.length);
  else if (body) outgoing.setHeader("transfer-encoding", "chunked");
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  return {
    status: response.statusCode,
    fields: ownFields(response.rawHeaders),
    length: method === "HEAD" ? "" : response.headers["content-length"],
    body: (await buffer(response)).toString("base64"),
  };
}

/** The fields of the sample, in order within each name; case included. */
function ownFields(raw: readonly string[]): [string, string[]][] {
  const fields = new Map<string, string[]>();
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? "";
    if (/^x-t/.test(name)) fields.set(name, [...(fields.get(name) ?? []), raw[index + 1] ?? ""]);
  }
  return [...fields].sort(([a], [b]) => (a < b ? -1 : 1));
}
