import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createManualClock, type ManualClock } from "@newleaf/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { configOf, startLoopbackServer } from "../../test/loopback-server.ts";
import { createKubeClient } from "../client.ts";
import { createKubeTransport } from "../kube-transport.ts";
import type { Credentials } from "./credential.ts";
import { createTokenFile } from "./token-file.ts";

let folder = "";
let path = "";
let clock: ManualClock;
let credentials: Credentials;
let log: string[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "token-"));
  path = join(folder, "token");
  clock = createManualClock();
  log = [];
  const warn = (fields: object, message: string): void =>
    void log.push(`${message} ${JSON.stringify(fields)}`);
  const logger = { debug: () => {}, info: () => {}, warn, error: () => {} };
  credentials = createTokenFile(path, { clock, logger });
});
afterEach(() => rm(folder, { recursive: true, force: true }));

it("is read again every minute", async () => {
  await writeFile(path, "one\n");
  const first = await credentials.current();
  expect(first).toEqual({ authorization: "Bearer one" });
  await writeFile(path, "two");
  await clock.advance(59_999);
  expect(await credentials.current()).toBe(first);
  await clock.advance(1);
  expect(await credentials.current()).toEqual({ authorization: "Bearer two" });
});

it("is read again when refused, and then it is told whether there is another", async () => {
  await writeFile(path, "one");
  const first = await credentials.current();
  expect(await credentials.renew(first)).toBe(false);
  await writeFile(path, "two");
  expect(await Promise.all([credentials.renew(first), credentials.renew(first)])).toEqual([true, true]);
  expect(await credentials.current()).toEqual({ authorization: "Bearer two" });
});

it.each(["", "secret\nsecret", "x".repeat(2 ** 20 + 1)])(
  "that holds no token leaves the last in use",
  async (content) => {
    await writeFile(path, "one");
    const first = await credentials.current();
    await writeFile(path, content);
    await clock.advance(60_000);
    expect(await credentials.current()).toBe(first);
    expect(log).toEqual([expect.stringContaining("token file cannot be used; keeping the previous token")]);
    expect(log.join()).not.toContain("secret");
  },
);

it("that is not there from the start is an error, until it is", async () => {
  await expect(credentials.current()).rejects.toMatchObject({
    code: "ERR_KUBE_CONFIG",
    message: `token file ${path} cannot be read: ENOENT`,
  });
  await writeFile(path, "one");
  expect(await credentials.current()).toEqual({ authorization: "Bearer one" });
});

it("a 401 after the token was exchanged costs one more request, and no failure", async () => {
  await writeFile(path, "one");
  let wanted = "Bearer one";
  await using server = await startLoopbackServer((request, response) => {
    response.statusCode = request.headers.authorization === wanted ? 200 : 401;
    response.end("{}");
  });
  await using transport = createKubeTransport(
    configOf(server.url, { user: { tokenFile: path, token: "unused" } }),
  );
  await using client = createKubeClient({ transport });
  expect((await client.request({ path: "/" })).ok).toBe(true);
  wanted = "Bearer two";
  await writeFile(path, "two");
  const answers = await Promise.all(Array.from({ length: 10 }, () => client.request({ path: "/" })));
  expect(answers.every(({ ok }) => ok)).toBe(true);
  wanted = "Bearer three";
  expect((await client.request({ path: "/" })).ok).toBe(false);
});
