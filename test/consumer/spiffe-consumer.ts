// Of somebody who installed @newleaf/spiffe: its entry point is imported and used as far as that goes without an agent.
import assert from "node:assert/strict";
import type { IdentitySource } from "@newleaf/rotation";
import { parseSpiffeId, SpiffeError, spiffe, watchSpiffe, type X509Source } from "@newleaf/spiffe";

const id = parseSpiffeId("spiffe://example.org/frontend");
assert.equal(id.trustDomain.name, "example.org");
assert.equal(typeof spiffe.memberOf(id.trustDomain), "function");

const opening: Promise<X509Source> = watchSpiffe({ address: "unix:///nowhere/agent.sock", waitMs: 300 });
const source: IdentitySource | SpiffeError = await opening.catch((error: unknown) => {
  if (error instanceof SpiffeError) return error;
  throw error;
});
assert.ok(source instanceof SpiffeError);
assert.equal(source.code, "ERR_SPIFFE_UNAVAILABLE");
