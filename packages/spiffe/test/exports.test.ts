import { expect, test } from "vitest";
import * as spiffe from "../src/index.ts";

// The published surface. A name added or removed here belongs in the changelog.
const INDEX = `
JWT_SVID_ALGORITHMS SpiffeError
createSpiffePeerTrust createWorkloadApiClient
formatJwtBundle formatSpiffeBundle
parseJwtBundle parseJwtSvid parseSpiffeBundle parseSpiffeId parseTrustDomain parseX509Authorities parseX509Svid
spiffe verifyJwtSvid verifyX509Svid
watchBundles watchFederatedBundle watchJwt watchSpiffe workloadApiAddress
`;

test("the package exports the listed names", () => {
  expect(Object.keys(spiffe).sort()).toEqual(INDEX.trim().split(/\s+/).sort());
});
