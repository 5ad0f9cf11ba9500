import fc from "fast-check";
import { expect, test } from "vitest";
import { parseAdmissionReview } from "../src/admission-review.ts";
import { verdict } from "../src/admission-verdict.ts";
import { reviewOf, startAdmissionServer } from "./admission-server.ts";

const octets = fc.oneof(
  fc.uint8Array({ maxLength: 400 }),
  fc.json().map((text) => Buffer.from(text)),
  // A review with one thing in it that is not as it should be.
  fc.tuple(fc.constantFrom(...Object.keys(given())), fc.jsonValue()).map(([field, value]) => {
    return Buffer.from(JSON.stringify(reviewOf({ [field]: value })));
  }),
  // A review that was cut, or of which one octet is another.
  fc.tuple(fc.nat(), fc.nat(255), fc.boolean()).map(([place, octet, cut]) => {
    const review = Buffer.from(JSON.stringify(reviewOf()));
    const at = place % review.length;
    if (cut) return review.subarray(0, at);
    review[at] = octet;
    return review;
  }),
);

test("every body is answered with JSON: a verdict, or a reason", async () => {
  await using server = await startAdmissionServer({ validate: () => verdict.allow() });
  await fc.assert(
    fc.asyncProperty(octets, async (sent) => {
      const { status, body } = await server.ask(sent);
      if (status === 200) {
        const { uid } = JSON.parse(new TextDecoder().decode(sent)).request;
        expect(body.response).toEqual({ uid, allowed: true });
      } else {
        expect([status, body.code, body.reason]).toEqual([400, 400, "BadRequest"]);
        expect(body.message).not.toBe("");
      }
    }),
    { numRuns: 500 },
  );
  expect(server.records.length).toBeGreaterThanOrEqual(500);
});

test("what is parsed is of the types that it says, and nesting does not matter", () => {
  fc.assert(
    fc.property(octets, (sent) => {
      const parsed = parseAdmissionReview(sent);
      if (!parsed.ok) return;
      const { uid, name, namespace, userInfo, object, dryRun } = parsed.request;
      for (const text of [uid, name, namespace, userInfo.username]) expect(text).toBeTypeOf("string");
      for (const group of userInfo.groups) expect(group).toBeTypeOf("string");
      expect(["object", "undefined"]).toContain(typeof object);
      expect(dryRun).toBeTypeOf("boolean");
    }),
  );
  const deep = `${"[".repeat(2_000_000)}${"]".repeat(2_000_000)}`;
  expect(parseAdmissionReview(Buffer.from(deep)).ok).toBe(false);
});

function given(): object {
  return (reviewOf() as { request: object }).request;
}
