import tls from "node:tls";
import { createManualClock, createTestAuthority, type TestIdentity } from "@newleaf/testing";
import { parseCrls } from "@newleaf/x509";
import { expect, test } from "vitest";
import { createIdentityHolder, type IdentityHolder } from "./identity-holder.ts";
import type { IdentityMaterial } from "./identity-material.ts";

const authority = createTestAuthority();

const material = ({ chainPem, keyPem, trustPem }: TestIdentity): IdentityMaterial => ({
  certificates: chainPem,
  key: keyPem,
  trust: trustPem,
});

function sourceOf(holder: IdentityHolder) {
  return holder.asSource({ reload: async () => {}, close: async () => {} });
}

test("generations count from one, and the same content is none", () => {
  const holder = createIdentityHolder();
  const [first, second] = [authority.issue(), authority.issue()].map(material);
  if (!first || !second) throw new Error("two are needed");
  expect(holder.offer(first)).toMatchObject({ outcome: "accepted", generation: { number: 1 } });
  expect(holder.offer(first)).toMatchObject({ outcome: "unchanged", generation: { number: 1 } });
  expect(holder.offer(second)).toMatchObject({ outcome: "accepted", generation: { number: 2 } });
  expect(holder.current()?.number).toBe(2);
  holder.close();
});

test("watchers come and go while generations pass", async () => {
  const holder = createIdentityHolder();
  holder.offer(material(authority.issue()));
  const source = sourceOf(holder);
  const seen = await Promise.all(
    Array.from({ length: 50 }, async (_, reader) => {
      const numbers: number[] = [];
      for await (const { number } of source.watch()) {
        numbers.push(number);
        if (reader === 0 && number < 20) holder.offer(material(authority.issue()));
        if (number === 20) break;
      }
      return numbers;
    }),
  );
  for (const numbers of seen) {
    expect(numbers.at(-1)).toBe(20);
    expect([...numbers].sort((a, b) => a - b)).toEqual(numbers);
  }
  await source[Symbol.asyncDispose]();
});

test("what OpenSSL cannot load is refused as unusable", () => {
  const before = tls.DEFAULT_CIPHERS;
  const holder = createIdentityHolder();
  try {
    // As a system-wide configuration may demand: 256 bits of security, more than P-256 has.
    tls.DEFAULT_CIPHERS = `${before}:@SECLEVEL=5`;
    expect(holder.offer(material(authority.issue()))).toMatchObject({
      outcome: "refused",
      refusal: {
        code: "unusable",
        message: expect.stringMatching(/^OpenSSL cannot use this identity: .+; no/),
      },
    });
  } finally {
    tls.DEFAULT_CIPHERS = before;
  }
  expect(holder.offer(material(authority.issue())).outcome).toBe("accepted");
  holder.close();
});

test("revocation lists that OpenSSL cannot load are refused as unusable, at the start and later", () => {
  const crls = parseCrls(authority.crlPem());
  // Sound by our own checks, to which they came parsed, but not in the octets that OpenSSL gets.
  const spoiled = crls.map(
    (crl) =>
      new Proxy(crl, {
        get: (target, name) => {
          if (name === "der") return Uint8Array.of(0x30, 0x00);
          if (name === "isRevoked") return (serial: string) => target.isRevoked(serial);
          return name === "sha256" ? "00".repeat(32) : Reflect.get(target, name, target);
        },
      }),
  );
  const checking = (lists: IdentityMaterial["crls"]): IdentityMaterial => ({
    ...material(authority.issue()),
    ...(lists && { crls: lists }),
  });
  const refused = {
    refusal: { code: "unusable", message: expect.stringMatching(/^OpenSSL cannot use this identity/) },
  };
  const holder = createIdentityHolder();
  expect(holder.offer(checking(spoiled))).toMatchObject(refused);
  expect(holder.offer(checking(crls)).outcome).toBe("accepted");
  expect(holder.offer(checking(crls)).outcome).toBe("accepted");
  expect(holder.offer(checking(spoiled))).toMatchObject(refused);
  expect(holder.current()?.number).toBe(2);
  expect(holder.current()?.secureContext).toBeDefined();
  holder.close();
});

test("a defect that an update brings to light refuses it and ends nothing", () => {
  const holder = createIdentityHolder();
  const certificates = new Proxy([], {
    get() {
      throw new TypeError("unforeseen");
    },
  });
  expect(holder.offer({ ...material(authority.issue()), certificates })).toMatchObject({
    refusal: {
      code: "unusable",
      message: "this identity cannot be checked: unforeseen; no identity to keep yet",
    },
  });
  holder.close();
});

test("a refusal without material is counted once as long as nothing else happens", () => {
  const holder = createIdentityHolder();
  holder.offer(material(authority.issue()));
  const source = sourceOf(holder);
  const first = holder.refuse("missing", "tls.crt is missing");
  expect(holder.refuse("missing", "tls.crt is missing")).toBe(first);
  expect(holder.refuse("missing", "tls.key is missing")).not.toBe(first);
  holder.offer(material(authority.issue()));
  holder.refuse("missing", "tls.key is missing");
  expect(source.status().refusals).toEqual({ missing: 3 });
  holder.close();
});

test("refusals are told before there is an identity, and after", () => {
  const told: string[] = [];
  const holder = createIdentityHolder({ onRefusal: ({ code }) => told.push(code) });
  holder.refuse("missing", "tls.crt is missing");
  holder.refuse("missing", "tls.crt is missing");
  const [good, other] = [material(authority.issue()), material(authority.issue())];
  holder.offer(good);
  holder.offer({ ...good, key: other.key });
  expect(told).toEqual(["missing", "key_mismatch"]);
  holder.close();
});

test("a slow reader of refusals keeps the latest few dozen", async () => {
  const holder = createIdentityHolder();
  holder.offer(material(authority.issue()));
  const source = sourceOf(holder);
  const refusals = source.refusals();
  for (let n = 0; n < 1_000; n++) holder.refuse("missing", `file ${n} is missing`);
  await source[Symbol.asyncDispose]();
  const messages: string[] = [];
  for await (const { message } of refusals) messages.push(message);
  expect(messages).toHaveLength(64);
  expect(messages.at(-1)).toMatch(/^file 999 is missing; keeping generation 1/);
});

test("first waits for a generation, its time limit or its signal", async () => {
  const clock = createManualClock(Date.now());
  const holder = createIdentityHolder({ clock });
  const first = holder.first();
  const late = holder.first({ timeoutMs: 1_000 });
  const failed = expect(late).rejects.toMatchObject({ code: "ERR_ROTATION_NO_IDENTITY" });
  await clock.advance(1_000);
  await failed;
  holder.offer(material(authority.issue()));
  expect((await first).number).toBe(1);
  expect((await holder.first({ signal: AbortSignal.abort() })).number).toBe(1);
  holder.close();
  expect(clock.pending).toBe(0);
});

test("a warning is logged when it begins, not again while it lasts", async () => {
  const clock = createManualClock(Date.now());
  const lasting = new Set<string>();
  const logged: object[] = [];
  const ignore = (): void => {};
  const warn = (fields: object): void => void logged.push(fields);
  const logger = { debug: ignore, info: ignore, warn, error: ignore };
  const holder = createIdentityHolder({ clock, logger, warnings: () => [...lasting] });
  holder.offer(material(authority.issue()));
  lasting.add("one");
  await clock.advance(180_000);
  lasting.clear();
  await clock.advance(60_000);
  lasting.add("one");
  await clock.advance(60_000);
  expect(logged).toEqual([{ warning: "one" }, { warning: "one" }]);
  holder.close();
});

test("what is not announced is kept aside, counted once, and taken when it is", () => {
  const [first, second] = [material(authority.issue()), material(authority.issue())];
  let announced = first.certificates;
  const listeners = new Set<() => void>();
  const holder = createIdentityHolder({
    announcements: {
      objection: ({ certificates }) => (certificates === announced ? undefined : "another one is announced"),
      onChange(again) {
        listeners.add(again);
        return () => listeners.delete(again);
      },
    },
  });
  expect(holder.offer(second)).toMatchObject({ outcome: "refused", refusal: { code: "not_announced" } });
  expect(holder.offer(first)).toMatchObject({ outcome: "accepted" });
  holder.offer(second);
  holder.offer(second);
  expect(sourceOf(holder).status()).toMatchObject({ stale: true, refusals: { not_announced: 2 } });
  announced = second.certificates;
  for (const again of listeners) again();
  expect(holder.current()?.number).toBe(2);
  expect(sourceOf(holder).status()).toMatchObject({ stale: false });
  holder.close();
  expect(listeners.size).toBe(0);
});
