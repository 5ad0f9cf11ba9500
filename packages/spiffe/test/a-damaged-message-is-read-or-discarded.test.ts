import { create, toBinary } from "@bufbuild/protobuf";
import { JWTBundlesResponseSchema, X509SVIDResponseSchema } from "@newleaf/proto";
import { createSpiffeAuthority } from "@newleaf/testing";
import fc from "fast-check";
import { expect, test } from "vitest";
import { SpiffeError } from "../src/error.ts";
import { readJwtBundles } from "../src/jwt-messages.ts";
import { attemptEnd } from "../src/workload-failure.ts";
import { readX509Context } from "../src/x509-context.ts";

const limits = { maxSvids: 100, maxBundles: 200 };
const authority = createSpiffeAuthority({ intermediate: true });
const { spiffeId, certificates, key } = authority.issueX509Svid();
const x509 = toBinary(
  X509SVIDResponseSchema,
  create(X509SVIDResponseSchema, {
    svids: [
      { spiffeId, x509Svid: certificates, x509SvidKey: key, bundle: authority.x509Bundle(), hint: "a" },
    ],
    federatedBundles: { "spiffe://other.org": createSpiffeAuthority().x509Bundle() },
  }),
);
const jwt = toBinary(
  JWTBundlesResponseSchema,
  create(JWTBundlesResponseSchema, { bundles: { "spiffe://example.org": authority.jwtBundle() } }),
);

/** The message with some octets changed, and its end perhaps cut off. */
function damaged(message: Uint8Array): fc.Arbitrary<Uint8Array> {
  const place = fc.nat({ max: message.length - 1 });
  const changes = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { minLength: 1, maxLength: 8 });
  return fc.tuple(changes, fc.option(place)).map(([octets, end]) => {
    const copy = Uint8Array.from(message);
    for (const [at, octet] of octets) copy[at] = octet;
    return end === null ? copy : copy.subarray(0, end);
  });
}

function readOrDiscard(read: () => unknown): void {
  try {
    read();
  } catch (error) {
    // Never a defect such as a TypeError of ours.
    if (!(error instanceof SpiffeError)) throw error;
    expect(attemptEnd(error)).toMatchObject({ reason: "discarded", final: false });
    expect(error.message).not.toContain(Buffer.from(key).toString("base64").slice(20, 60));
  }
}

test("a damaged message of X.509-SVIDs is read or discarded, with nothing else to come of it", () => {
  readOrDiscard(() => expect(readX509Context(x509, limits).svids).toHaveLength(1));
  fc.assert(
    fc.property(damaged(x509), (octets) => readOrDiscard(() => readX509Context(octets, limits))),
    {
      numRuns: 1_500,
    },
  );
});

test("a damaged message of JWT bundles is read or discarded, with nothing else to come of it", () => {
  fc.assert(
    fc.property(damaged(jwt), (octets) => readOrDiscard(() => readJwtBundles(octets, limits))),
    {
      numRuns: 1_500,
    },
  );
});
