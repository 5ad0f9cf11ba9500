import { createHealth } from "@newleaf/daemon";
import { createIdentityHolder } from "@newleaf/rotation";
import { expect, test } from "vitest";
import { openIdentity } from "./open-identity.ts";

test("while a first identity is waited for, readiness says what was refused last", async () => {
  const health = createHealth();
  const reason = async () => (await health.readiness()).checks.identity?.reason;
  let refuse: (message: string) => void = () => {};
  let deliver: (source: string) => void = () => {};
  const opening = openIdentity(health, (onRefusal) => {
    const holder = createIdentityHolder({ onRefusal });
    refuse = (message) => holder.refuse("missing", message);
    return new Promise<string>((resolve) => {
      deliver = resolve;
    });
  });
  expect(await reason()).toBe("no identity yet");
  refuse("/etc/tls/tls.crt is missing");
  expect(await reason()).toBe("/etc/tls/tls.crt is missing; no identity to keep yet");
  refuse("/etc/tls/ca.crt is missing");
  expect(await reason()).toBe("/etc/tls/ca.crt is missing; no identity to keep yet");
  deliver("source");
  expect(await opening).toBe("source");
  expect((await health.readiness()).checks).toEqual({});
});

test("what could not be opened is no longer waited for", async () => {
  const health = createHealth();
  await expect(openIdentity(health, () => Promise.reject(new Error("not in time")))).rejects.toThrow();
  expect((await health.readiness()).checks).toEqual({});
});
