import { once } from "node:events";
import { createServer, get, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, it } from "vitest";
import { incomingChunks } from "./incoming-chunks.ts";

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

it("all octets come, in order, and in fewer pieces than were sent", async () => {
  const sent = Array.from({ length: 2000 }, (_, i) => Buffer.from(`${i},`.repeat(200)));
  const incoming = await answer((response) => {
    for (const chunk of sent) response.write(chunk);
    response.end();
  });
  const chunks = incomingChunks(incoming);
  const taken: Uint8Array[] = [];
  for (let step = await chunks.next(); !step.done; step = await chunks.next()) taken.push(step.value);
  expect(Buffer.concat(taken).equals(Buffer.concat(sent))).toBe(true);
  expect(taken.length).toBeLessThan(sent.length);
  expect(await chunks.next()).toEqual({ done: true, value: undefined });
});

it("what nobody takes is not read on and on", async () => {
  let written = 0;
  const incoming = await answer((response) => {
    const write = (): void => {
      while (written < 2 ** 28 && response.write(Buffer.alloc(2 ** 16))) written += 2 ** 16;
    };
    response.on("drain", write);
    write();
  });
  const chunks = incomingChunks(incoming);
  await once(incoming, "pause");
  const { value } = await chunks.next();
  // One read may have more than is kept ahead.
  expect((value as Uint8Array).length).toBeLessThan(2 ** 20);
  expect(written).toBeLessThan(2 ** 28);
});

it("a piece comes as soon as it is there, while the answer goes on", async () => {
  let response: ServerResponse | undefined;
  const incoming = await answer((open) => {
    response = open;
    open.flushHeaders();
  });
  const chunks = incomingChunks(incoming);
  for (const text of ["one", "two"]) {
    const next = chunks.next();
    response?.write(text);
    expect((await next).value?.toString()).toBe(text);
  }
});

it("what came before it broke off comes first, then why there is no more", async () => {
  let response: ServerResponse | undefined;
  const incoming = await answer((open) => {
    response = open;
    open.write("half");
  });
  const chunks = incomingChunks(incoming);
  expect((await chunks.next()).value?.toString()).toBe("half");
  response?.write("more", () => response?.destroy());
  await new Promise((resolve) => incoming.once("close", resolve));
  expect((await chunks.next()).value?.toString()).toBe("more");
  await expect(chunks.next()).rejects.toMatchObject({ code: "ECONNRESET" });
});

it("one that is destroyed ends who waits", async () => {
  const incoming = await answer((response) => response.flushHeaders());
  const next = incomingChunks(incoming).next();
  incoming.destroy();
  await expect(next).rejects.toMatchObject({ code: "ECONNRESET" });
});

async function answer(write: (response: ServerResponse) => void): Promise<IncomingMessage> {
  const server = createServer((_, response) => write(response)).listen(0, "127.0.0.1");
  closing.push(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, "listening");
  const request = get({ host: "127.0.0.1", port: (server.address() as AddressInfo).port, agent: false });
  request.on("error", () => {});
  const [incoming] = (await once(request, "response")) as [IncomingMessage];
  return incoming;
}
