import { afterEach, beforeEach, expect, test } from "vitest";
import { annotationNames } from "../src/annotations.ts";
import { createFollowerFixture, type FollowerFixture, type Issued } from "./follower-fixture.ts";

const SECOND = 1_000;
const NAMES = annotationNames();
const LOADED = "Certificate loaded and verified";
const MISMATCH = "Certificate hash mismatch, waiting for kubelet sync";

let fixture: FollowerFixture;
beforeEach(async () => {
  fixture = await createFollowerFixture();
});
afterEach(() => fixture[Symbol.asyncDispose]());

/** A follower that serves a first certificate. */
async function serving(): Promise<{ source: Awaited<ReturnType<FollowerFixture["follow"]>>; first: Issued }> {
  const first = fixture.issue();
  await fixture.announce(first);
  fixture.mount.write(first.material);
  const source = await fixture.follow();
  await fixture.settle();
  return { source, first };
}

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

test("1. the expected hash is that of the moment of the decision, not of the moment when a slow read began", async () => {
  const { source, first } = await serving();
  const [second, third] = [fixture.issue(), fixture.issue()];
  const slow = deferred();
  fixture.mount.slow = slow.promise;
  await fixture.announce(second);
  await fixture.clock.advance(2 * SECOND);
  expect(fixture.mount.reloads).toBe(1);
  // While the read hangs the leader has gone on, and the kubelet has written what was expected when it began.
  await fixture.announce(third);
  fixture.mount.write(second.material);
  slow.resolve();
  fixture.mount.slow = undefined;
  await fixture.settle();
  expect(source.current().leaf.sha256).toBe(first.identity.certificate.sha256);
  fixture.mount.write(third.material);
  await fixture.settle();
  expect(source.current().leaf.sha256).toBe(third.identity.certificate.sha256);
});

test("2. whoever reads the current certificate during a swap has certificate, key and trust of one moment", async () => {
  const { source } = await serving();
  const seen: boolean[] = [];
  const look = (): void => {
    const { leaf, key, trust } = source.current();
    const { publicKey } = leaf;
    const own = publicKey.export({ format: "der", type: "spki" });
    const held = key.export({ format: "jwk" });
    const shown = publicKey.export({ format: "jwk" });
    seen.push(own.length > 0 && held.x === shown.x && held.y === shown.y && trust.certificates.length > 0);
  };
  for (let n = 0; n < 20; n++) {
    const next = fixture.issue();
    const announced = fixture.announce(next);
    look();
    fixture.mount.write(next.material);
    look();
    await announced;
    look();
    expect(source.current().leaf.sha256).toBe(next.identity.certificate.sha256);
  }
  expect(seen).toEqual(seen.map(() => true));
});

test("3. ready is signalled once, when Lease, file and ticker come together", async () => {
  const first = fixture.issue();
  let ready = 0;
  const following = fixture.follow().then((source) => {
    ready += 1;
    return source;
  });
  await fixture.clock.advance(2 * SECOND - 1);
  const announced = fixture.announce(first);
  fixture.mount.write(first.material);
  await fixture.clock.advance(1);
  await announced;
  fixture.mount.write(first.material);
  await fixture.announce(first);
  const source = await following;
  await fixture.clock.advance(10 * SECOND);
  expect(ready).toBe(1);
  expect(source.current().number).toBe(1);
  expect(fixture.messages(LOADED)).toHaveLength(1);
});

test("4. a burst of events during slow requests comes to the newest, in a few requests", async () => {
  const { source } = await serving();
  fixture.api.faults.add({ kind: "delay", ms: SECOND, verbs: ["patch"], resources: ["pods"] });
  const before = fixture.api.audit.count;
  const all = Array.from({ length: 50 }, () => fixture.issue());
  for (const issued of all) await fixture.announce(issued);
  const newest = all.at(-1)!;
  await fixture.clock.advance(5 * SECOND);
  const patches = fixture.api.audit.entries
    .slice(before)
    .filter(({ user, verb }) => user === "shop-0" && verb === "patch");
  expect(patches.length).toBeLessThanOrEqual(3);
  expect(await fixture.podAnnotations()).toMatchObject({ [NAMES.expectedCertHash]: newest.certHash });
  fixture.mount.write(all[20]!.material);
  await fixture.clock.advance(4 * SECOND);
  expect(source.current().number).toBe(1);
  fixture.mount.write(newest.material);
  await fixture.clock.advance(4 * SECOND);
  expect(source.current().leaf.sha256).toBe(newest.identity.certificate.sha256);
  expect(await fixture.podAnnotations()).toMatchObject({ [NAMES.acknowledgedCertHash]: newest.certHash });
  expect(await fixture.podAnnotations()).not.toHaveProperty(NAMES.expectedCertHash);
});

test("5. watch, ticker and file load one certificate once", async () => {
  const { source } = await serving();
  const next = fixture.issue();
  const generations: number[] = [];
  const watching = (async () => {
    for await (const { number } of source.watch()) generations.push(number);
  })();
  const slow = deferred();
  fixture.mount.slow = slow.promise;
  await fixture.announce(next);
  await fixture.clock.advance(2 * SECOND);
  // The ticker's read hangs; the file comes, and so do more events of the Lease.
  fixture.mount.write(next.material);
  await fixture.announce(next);
  slow.resolve();
  await fixture.clock.advance(10 * SECOND);
  await fixture.announce(next);
  await source[Symbol.asyncDispose]();
  await watching;
  expect(generations).toEqual([1, 2]);
  expect(fixture.messages(LOADED)).toHaveLength(2);
  expect(fixture.messages(MISMATCH).filter(({ level }) => level === "info")).toHaveLength(1);
});

const ENDS: Readonly<Record<string, (f: FollowerFixture) => void>> = {
  "is closed by the server": ({ api }) => api.restart(),
  "is expired (410)": ({ api }) => api.restart({ history: "lost" }),
  "is expired (410 as HTTP status)": ({ api }) => {
    api.faults.expiredAsStatus = true;
    api.restart({ history: "lost" });
  },
  "is reset": ({ api }) => void api.faults.once({ kind: "reset", when: "stream", resources: ["leases"] }),
  "is cut within a line": ({ api }) =>
    void api.faults.once({ kind: "cut", at: "line", resources: ["leases"] }),
  "stalls without a word": ({ api }) => {
    let stalled: unknown;
    const where = (watch: unknown): boolean => {
      stalled ??= watch;
      return watch === stalled;
    };
    api.faults.add({ kind: "stall", when: "stream", verbs: ["watch"], user: "shop-0", where });
  },
};

test.each(Object.keys(ENDS))("6. a watch that %s is restarted, and the change is seen", async (how) => {
  const { source } = await serving();
  ENDS[how]?.(fixture);
  await fixture.settle();
  const next = fixture.issue();
  fixture.mount.write(next.material);
  await fixture.announce(next);
  await fixture.clock.advance(400 * SECOND);
  expect(source.current().leaf.sha256).toBe(next.identity.certificate.sha256);
  expect(fixture.messages("Lease watch closed, restarting watch").length).toBeGreaterThan(0);
  expect(
    fixture.messages("Lease watch established, monitoring for certificate updates").length,
  ).toBeGreaterThan(1);
});

test("7. a stop during a load is clean: it ends, waits for the load, and nothing happens after it", async () => {
  const { source } = await serving();
  const next = fixture.issue();
  const slow = deferred();
  fixture.mount.slow = slow.promise;
  await fixture.announce(next);
  await fixture.clock.advance(2 * SECOND);
  const stopped = source[Symbol.asyncDispose]();
  expect(source[Symbol.asyncDispose]()).toBe(stopped);
  fixture.mount.write(next.material);
  await fixture.settle();
  slow.resolve();
  await stopped;
  const lines = fixture.log.length;
  await fixture.announce(fixture.issue());
  await fixture.clock.advance(120 * SECOND);
  expect(fixture.log.length).toBe(lines);
  expect(source.current().number).toBe(1);
  expect(fixture.clock.pending).toBe(0);
});

test("7. a stop while the first certificate is waited for ends the wait with the signal's reason", async () => {
  const stopping = new AbortController();
  const following = fixture.follow({ signal: stopping.signal });
  const failed = expect(following).rejects.toThrow("stopping");
  await fixture.clock.advance(SECOND);
  stopping.abort(new Error("stopping"));
  await failed;
  expect(fixture.clock.pending).toBe(0);
});
