// JWT-SVIDs that a real SPIRE signs, verified here by the bundles that its agent sends: what the agent accepts, through a
// rollover of the key and with a federated trust domain. Needs: spire.
import { createWorkloadApiClient, watchJwt } from "@newleaf/spiffe";
import { describe, expect, test } from "vitest";
import { component } from "../component.ts";
import { type Spire, startSpire } from "../spire.ts";
import { until } from "../until.ts";

const program = component("NEWLEAF_SPIRE");

describe.skipIf(program === undefined)("JWT-SVIDs of SPIRE (needs: spire)", () => {
  const begin = async (
    spire: Spire,
    spiffeId: string,
    federatesWith: readonly string[] = [],
  ): Promise<void> => {
    await spire.entries.create({ spiffeId, federatesWith });
    const client = createWorkloadApiClient({ address: spire.address });
    await until("the entry at the agent", () =>
      client.fetchX509Context().then(
        () => true,
        () => false,
      ),
    );
  };

  test("a token is accepted or refused here as at the agent", async () => {
    const id = "spiffe://example.org/workload";
    await using spire = await startSpire({ program: program! });
    await begin(spire, id);
    const client = createWorkloadApiClient({ address: spire.address });
    await using jwt = await watchJwt({ address: spire.address });
    const { token } = await jwt.svid({ audience: ["shop", "bank"] });
    for (const audience of ["shop", "bank"]) {
      expect(await jwt.verify(token, { audience })).toMatchObject({ ok: true });
      const { id: validated } = await client.validateJwtSvid({ token, audience });
      expect(`${validated}`).toBe(id);
    }
    expect(await jwt.verify(token, { audience: "other" })).toMatchObject({
      ok: false,
      code: "wrong_audience",
    });
    await expect(client.validateJwtSvid({ token, audience: "other" })).rejects.toThrow();

    const [head = "", , signature = ""] = token.split(".");
    const claims = { sub: "spiffe://example.org/other", aud: "shop", exp: Math.ceil(Date.now() / 1000) + 60 };
    const forged = [head, Buffer.from(JSON.stringify(claims)).toString("base64url"), signature].join(".");
    expect(await jwt.verify(forged, { audience: "shop" })).toMatchObject({
      ok: false,
      code: "bad_signature",
    });
    await expect(client.validateJwtSvid({ token: forged, audience: "shop" })).rejects.toThrow();
  });

  test("the key rolls over: both are accepted meanwhile, and the old one no longer afterwards", async () => {
    await using spire = await startSpire({ program: program! });
    await begin(spire, "spiffe://example.org/workload");
    await using jwt = await watchJwt({ address: spire.address });
    const keys = (): number => jwt.bundles().get("example.org")?.keys.size ?? 0;
    const verdict = async (token: string, audience: string): Promise<string> => {
      const result = await jwt.verify(token, { audience });
      return result.ok ? "accepted" : result.code;
    };
    const old = await jwt.svid({ audience: "first" });
    const { active } = await spire.jwtAuthority.state();
    const prepared = await spire.jwtAuthority.prepare();
    await until("both keys", () => keys() === 2);
    await spire.jwtAuthority.activate(prepared);
    // For another audience, because the agent keeps the token that it has.
    const fresh = await jwt.svid({ audience: "second" });
    expect(await verdict(old.token, "first")).toBe("accepted");
    expect(await verdict(fresh.token, "second")).toBe("accepted");
    await spire.jwtAuthority.revoke(active ?? "");
    await until("only the new key", () => keys() === 1);
    expect(await verdict(old.token, "first")).toBe("unknown_authority");
    expect(await verdict(fresh.token, "second")).toBe("accepted");
  });

  test("a token of another trust domain is accepted while that is federated", async () => {
    await using here = await startSpire({ program: program!, trustDomain: "here.example" });
    await using there = await startSpire({ program: program!, trustDomain: "there.example" });
    await here.setBundle("there.example", await there.bundle());
    await begin(here, "spiffe://here.example/verifier", ["there.example"]);
    await begin(there, "spiffe://there.example/client");
    await using verifier = await watchJwt({ address: here.address });
    await using client = await watchJwt({ address: there.address });
    const { token } = await client.svid({ audience: "shop" });
    await until("the foreign bundle", () => verifier.bundles().has("there.example"));
    expect(await verifier.verify(token, { audience: "shop" })).toMatchObject({ ok: true });
    await here.deleteBundle("there.example");
    await until("no foreign bundle", () => !verifier.bundles().has("there.example"));
    expect(await verifier.verify(token, { audience: "shop" })).toMatchObject({
      ok: false,
      code: "unknown_authority",
    });
  });
});
