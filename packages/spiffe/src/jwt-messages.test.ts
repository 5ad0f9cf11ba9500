import { create, toBinary } from "@bufbuild/protobuf";
import {
  JWTBundlesResponseSchema,
  JWTSVIDResponseSchema,
  ValidateJWTSVIDResponseSchema,
} from "@newleaf/proto";
import { createSpiffeAuthority } from "@newleaf/testing";
import { expect, test } from "vitest";
import { readJwtBundles, readJwtSvids, readValidation } from "./jwt-messages.ts";

const limits = { maxSvids: 100, maxBundles: 200 };
const authority = createSpiffeAuthority();
const spiffeId = "spiffe://example.org/workload";
const token = await authority.issueJwtSvid({ audience: ["db", "api"] });
const answer = (svid: { spiffeId?: string; svid?: string }) =>
  create(JWTSVIDResponseSchema, { svids: [{ spiffeId, svid: token, ...svid }] });

test("Workload API 6.2.1: an answer is for the audience and the ID it says", () => {
  expect(readJwtSvids(answer({}), ["api"], limits)[0]!.token).toBe(token);
  const discarded = expect.objectContaining({ code: "ERR_SPIFFE_JWT_SVID" });
  expect(() => readJwtSvids(answer({}), ["db", "other"], limits)).toThrow(discarded);
  expect(() => readJwtSvids(answer({ spiffeId: "spiffe://example.org/other" }), ["db"], limits)).toThrow(
    discarded,
  );
});

test.each([{ spiffeId: "" }, { svid: "" }])(
  "Workload API 4.5: a JWT-SVID with an empty %j is discarded",
  (empty) => {
    expect(() => readJwtSvids(answer(empty), ["db"], limits)).toThrow(/without its SPIFFE ID or token/);
  },
);

test("Workload API 4.5: answers without any JWT-SVID, SPIFFE ID or claims are discarded", () => {
  expect(() => readJwtSvids(create(JWTSVIDResponseSchema), ["db"], limits)).toThrow(/no JWT-SVID/);
  for (const part of [{ spiffeId }, { claims: {} }]) {
    expect(() => readValidation(create(ValidateJWTSVIDResponseSchema, part))).toThrow(
      /without SPIFFE ID or claims/,
    );
  }
});

test("Workload API 6.2.2: a bundle that cannot be read trusts nobody and stops nothing else", () => {
  const bundles = {
    "spiffe://example.org": authority.jwtBundle(),
    "spiffe://other.org": Buffer.from("nonsense"),
    "https://third.org": authority.jwtBundle(),
  };
  const read = readJwtBundles(
    toBinary(JWTBundlesResponseSchema, create(JWTBundlesResponseSchema, { bundles })),
    limits,
  );
  expect([...read].map(([name, { keys }]) => [name, keys.size]).sort()).toEqual([
    ["example.org", 1],
    ["other.org", 0],
  ]);
});
