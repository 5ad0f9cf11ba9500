import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { createSpiffeAuthority } from "@newleaf/testing";
import fc from "fast-check";
import { type CompactJWSHeaderParameters, CompactSign, type JWTPayload } from "jose";
import { describe, expect, test } from "vitest";
import { formatJwtBundle, type JwtBundles, parseJwtBundle } from "./jwt-bundle.ts";
import { JWT_SVID_ALGORITHMS, parseJwtSvid } from "./jwt-svid.ts";
import { parseTrustDomain } from "./spiffe-id.ts";
import { type VerifyJwtSvidOptions, verifyJwtSvid } from "./verify-jwt-svid.ts";

const NOW = new Date("2026-06-01T12:00:00Z");
const seconds = NOW.getTime() / 1000;
const KEYS: Readonly<Record<string, { publicKey: KeyObject; privateKey: KeyObject }>> = {
  rsa: generateKeyPairSync("rsa", { modulusLength: 2048 }),
  p256: generateKeyPairSync("ec", { namedCurve: "P-256" }),
  p384: generateKeyPairSync("ec", { namedCurve: "P-384" }),
  p521: generateKeyPairSync("ec", { namedCurve: "P-521" }),
  other: generateKeyPairSync("ec", { namedCurve: "P-256" }),
};
const keyNameOf = (alg: string) => ({ ES256: "p256", ES384: "p384", ES512: "p521" })[alg] ?? "rsa";

function bundle(trustDomain: string, kids: Readonly<Record<string, string>>): JwtBundles {
  const keys = Object.entries(kids).map(([kid, name]) => ({
    ...KEYS[name]?.publicKey.export({ format: "jwk" }),
    kid,
  }));
  return new Map([[trustDomain, parseJwtBundle(trustDomain, JSON.stringify({ keys }))]]);
}

const bundles = bundle("example.org", { a: "p256", rsa: "rsa", p384: "p384", p521: "p521" });
const claims: JWTPayload = {
  sub: "spiffe://example.org/a",
  aud: ["reports"],
  exp: seconds + 60,
  iat: seconds,
};

/** A token with these claims, header and key instead of the good ones. */
async function token(
  more: JWTPayload = {},
  header: Partial<CompactJWSHeaderParameters> = {},
  key: string = keyNameOf(header.alg ?? "ES256"),
): Promise<string> {
  const payload = new TextEncoder().encode(JSON.stringify({ ...claims, ...more }));
  const privateKey = KEYS[key]?.privateKey;
  if (!privateKey) throw new Error(`no key ${key}`);
  return new CompactSign(payload).setProtectedHeader({ alg: "ES256", kid: "a", ...header }).sign(privateKey);
}

async function verdict(
  text: string,
  options: Partial<VerifyJwtSvidOptions> = {},
  by = bundles,
): Promise<string> {
  const result = await verifyJwtSvid(text, by, { audience: "reports", now: NOW, ...options });
  // What is shorter may well be a word of the message.
  if (!result.ok && text.length > 20) expect(result.message).not.toContain(text.slice(-20));
  return result.ok ? "ok" : result.code;
}

test("a good token names a workload", async () => {
  const text = await token({ jti: "1" }, { typ: "JWT" });
  const result = await verifyJwtSvid(text, bundles, { audience: "reports", now: NOW });
  if (!result.ok) throw new Error(result.message);
  const { svid } = result;
  expect(`${svid.id}`).toBe("spiffe://example.org/a");
  expect(svid).toMatchObject({
    audience: ["reports"],
    expiresAt: new Date(NOW.getTime() + 60_000),
    issuedAt: NOW,
    hint: "",
    claims: { jti: "1" },
  });
  expect(svid.token).toBe(text);
  expect(JSON.stringify(svid)).not.toContain(text);
});

test("a token as the Workload API issues it, with the bundle it delivers", async () => {
  const authority = createSpiffeAuthority();
  const text = await authority.issueJwtSvid({ audience: ["x", "reports"], path: "/b" });
  const own: JwtBundles = new Map([["example.org", parseJwtBundle("example.org", authority.jwtBundle())]]);
  expect(await verdict(text, { now: new Date() }, own)).toBe("ok");
  expect(parseJwtSvid(text, { hint: "internal" })).toMatchObject({
    hint: "internal",
    audience: ["x", "reports"],
  });
});

describe("JWT-SVID 2.1: the algorithms of the standard and no others", () => {
  test.each(JWT_SVID_ALGORITHMS)("%s", async (alg) => {
    const kid = keyNameOf(alg) === "p256" ? "a" : keyNameOf(alg);
    expect(await verdict(await token({}, { alg, kid }))).toBe("ok");
  });
  test("not none, not a secret, not another curve", async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
    expect(await verdict(`${part({ alg: "none", kid: "a" })}.${part(claims)}.`)).toBe("malformed");
    for (const alg of ["none", "HS256", "EdDSA", "ES256K", "es256", ""]) {
      expect(await verdict(`${part({ alg, kid: "a" })}.${part(claims)}.AAAA`)).toBe("malformed");
    }
    const secret = KEYS.rsa?.publicKey.export({ type: "spki", format: "pem" }) ?? "";
    const forged = await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
      .setProtectedHeader({ alg: "HS256", kid: "rsa" })
      .sign(Buffer.from(secret));
    expect(await verdict(forged)).toBe("malformed");
  });
  test("a key is used for its own algorithm only", async () => {
    expect(await verdict(await token({}, { alg: "ES384", kid: "a" }))).toBe("unknown_authority");
    expect(await verdict(await token({}, { alg: "RS256", kid: "a" }))).toBe("unknown_authority");
  });
});

test("JWT-SVID 2.2: the key is that of the key ID; without one, any key of the bundle that fits", async () => {
  expect(await verdict(await token({}, { kid: "b" }))).toBe("unknown_authority");
  const two = bundle("example.org", { a: "p256", b: "other" });
  expect(await verdict(await token({}, { kid: "b" }), {}, two)).toBe("bad_signature");
  expect(await verdict(await token({}, { kid: "b" }, "other"), {}, two)).toBe("ok");
  const withoutKid = (key: string) => token({}, { kid: undefined as never }, key);
  expect(await verdict(await withoutKid("other"), {}, two)).toBe("ok");
  expect(await verdict(await withoutKid("p256"), {}, two)).toBe("ok");
  expect(await verdict(await withoutKid("other"))).toBe("bad_signature");
  const ended = await token({ exp: seconds - 1 }, { kid: undefined as never });
  expect(await verdict(ended, {}, two)).toBe("expired");
});

test("JWT-SVID 2.3: the type is JWT or JOSE, or absent", async () => {
  for (const typ of ["JWT", "JOSE"]) expect(await verdict(await token({}, { typ }))).toBe("ok");
  for (const typ of ["jwt", "at+jwt", ""]) expect(await verdict(await token({}, { typ }))).toBe("malformed");
});

test("JWT-SVID 2: the header has nothing else, above all no key", async () => {
  const jwk = KEYS.other?.publicKey.export({ format: "jwk" }) as object;
  for (const more of [
    { jwk },
    { jku: "https://x" },
    { x5u: "https://x" },
    { x5c: [] },
    { cty: "JWT" },
    { more: 1 },
  ]) {
    expect(await verdict(await token({}, more as object, "other"))).toBe("malformed");
    expect(await verdict(await token({}, more as object))).toBe("malformed");
  }
});

test("JWT-SVID 3.1: the subject is a SPIFFE ID", async () => {
  for (const sub of [undefined, "", "a", "spiffe://example.org/a/", "https://example.org/a", 1]) {
    expect(await verdict(await token({ sub: sub as string }))).toBe("malformed");
  }
});

test("JWT-SVID 3.2: the audience is there, and the verifier is among it", async () => {
  for (const aud of [undefined, [], 1, [1], ["reports", 1], null]) {
    expect(await verdict(await token({ aud: aud as string[] }))).toBe("malformed");
  }
  expect(await verdict(await token({ aud: "reports" }))).toBe("ok");
  expect(await verdict(await token({ aud: ["other", "reports"] }))).toBe("ok");
  expect(await verdict(await token({ aud: ["report", "reports2", "REPORTS"] }))).toBe("wrong_audience");
  expect(await verdict(await token(), { audience: ["x", "reports"] })).toBe("ok");
  for (const audience of ["", [], [""]]) {
    await expect(verdict(await token(), { audience })).rejects.toMatchObject({ code: "ERR_SPIFFE_OPTIONS" });
  }
});

test("JWT-SVID 3.3: the token has an end, and ends there", async () => {
  for (const exp of [undefined, "soon", null, 1e300]) {
    expect(await verdict(await token({ exp: exp as number }))).toBe("malformed");
  }
  expect(await verdict(await token({ exp: seconds + 1 }))).toBe("ok");
  expect(await verdict(await token({ exp: seconds }))).toBe("expired");
  expect(await verdict(await token({ exp: seconds - 5 }), { leewaySeconds: 10 })).toBe("ok");
  expect(await verdict(await token({ nbf: seconds + 5 }))).toBe("not_yet_valid");
  expect(await verdict(await token({ nbf: seconds + 5 }), { leewaySeconds: 10 })).toBe("ok");
});

test("JWT-SVID 4: the signature is by a key of the token's own trust domain", async () => {
  const text = await token();
  expect(await verdict(`${text.slice(0, -4)}${text.endsWith("AAAA") ? "BBBB" : "AAAA"}`)).toBe(
    "bad_signature",
  );
  const [header, , signature] = text.split(".");
  const payload = Buffer.from(JSON.stringify({ ...claims, sub: "spiffe://example.org/admin" })).toString(
    "base64url",
  );
  expect(await verdict(`${header}.${payload}.${signature}`)).toBe("bad_signature");
  // Another trust domain's key vouches for its own members only, whatever the key ID.
  const foreign: JwtBundles = new Map([...bundles, ...bundle("other.org", { a: "other" })]);
  expect(await verdict(await token({}, {}, "other"), {}, foreign)).toBe("bad_signature");
  expect(await verdict(await token({ sub: "spiffe://other.org/a" }, {}, "other"), {}, foreign)).toBe("ok");
  expect(await verdict(await token({ sub: "spiffe://other.org/a" }), {}, foreign)).toBe("bad_signature");
});

test("without a bundle, or with an empty one, nobody is trusted", async () => {
  const empty: JwtBundles = new Map([
    ["example.org", { trustDomain: parseTrustDomain("example.org"), keys: new Map() }],
  ]);
  for (const by of [new Map(), empty]) expect(await verdict(await token(), {}, by)).toBe("unknown_authority");
});

test("JWT-SVID 5.1: the serialization is compact", async () => {
  const text = await token();
  const [header = "", payload = "", signature = ""] = text.split(".");
  const json = JSON.stringify({ protected: header, payload, signature });
  const five = [header, payload, signature, "", ""].join(".");
  for (const spoiled of [
    "",
    ".",
    "..",
    json,
    five,
    `${text} `,
    ` ${text}`,
    `${text}=`,
    `${header}.${payload}`,
    `x${text}`,
  ]) {
    expect(await verdict(spoiled)).toBe("malformed");
  }
});

test("the size of a token is limited", async () => {
  expect(await verdict(await token({ more: "x".repeat(8_000) }))).toBe("ok");
  expect(await verdict(await token({ more: "x".repeat(16_000) }))).toBe("malformed");
});

test("keys that are too weak sign nothing", async () => {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  const { sign } = await import("node:crypto");
  const weak: JwtBundles = new Map([
    ["example.org", { trustDomain: parseTrustDomain("example.org"), keys: new Map([["w", publicKey]]) }],
  ]);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const input = `${part({ alg: "RS256", kid: "w" })}.${part(claims)}`;
  const text = `${input}.${sign("sha256", Buffer.from(input), privateKey).toString("base64url")}`;
  expect(await verdict(text, {}, weak)).toBe("bad_signature");
});

test("an error of the parser holds nothing of the token", async () => {
  const text = await token({ sub: "not an id, but secret" });
  expect(() => parseJwtSvid(text)).toThrow(expect.objectContaining({ code: "ERR_SPIFFE_JWT_SVID" }));
  expect(() => parseJwtSvid(text)).not.toThrow(/secret/);
});

describe("JWT-SVID 6: bundles of the Workload API", () => {
  const jwk = (name: string) => KEYS[name]?.publicKey.export({ format: "jwk" });
  const kids = (...keys: object[]) => [
    ...parseJwtBundle("example.org", JSON.stringify({ keys })).keys.keys(),
  ];
  test("need no use, but a key ID, and may hold what is for others", () => {
    expect(kids({ ...jwk("p256"), kid: "1" }, { ...jwk("rsa"), kid: "2", use: "jwt-svid" })).toEqual([
      "1",
      "2",
    ]);
    expect(
      kids({ ...jwk("p256") }, { ...jwk("p256"), kid: "3", use: "x509-svid" }, { kty: "oct", kid: "4" }),
    ).toEqual([]);
    expect(kids()).toEqual([]);
  });
  test("are written as they were read", () => {
    const text = JSON.stringify({
      keys: [
        { ...jwk("p256"), kid: "1" },
        { ...jwk("rsa"), kid: "2" },
      ],
    });
    const written = formatJwtBundle(parseJwtBundle("example.org", text));
    expect(JSON.parse(written)).toEqual(JSON.parse(text));
  });
  test("that cannot be read are refused", () => {
    for (const text of ["", "[]", "{}", '{"keys":[{"kty":"EC","kid":"1","crv":"P-256"}]}']) {
      expect(() => parseJwtBundle("example.org", text)).toThrow(
        expect.objectContaining({ code: "ERR_SPIFFE_BUNDLE" }),
      );
    }
  });
});

test("whatever text arrives, it is a refusal, and only an untouched token is none", async () => {
  const good = await token();
  const touched = fc
    .tuple(fc.nat(good.length - 1), fc.string({ maxLength: 3 }), fc.nat(3))
    .map(([at, insert, removed]) => good.slice(0, at) + insert + good.slice(at + removed));
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const made = fc
    .tuple(fc.jsonValue(), fc.jsonValue())
    .map(([header, payload]) => `${part(header)}.${part(payload)}.AAAA`);
  await fc.assert(
    fc.asyncProperty(fc.oneof(touched, made, fc.string()), async (text) => {
      // The last character of a signature has bits that no octet uses.
      const same = text.slice(0, -1) === good.slice(0, -1) && text.length === good.length;
      if (!same) expect(await verdict(text)).not.toBe("ok");
    }),
    { numRuns: 300 },
  );
});
