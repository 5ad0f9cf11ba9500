import { createHash } from "node:crypto";
import type { PeerTrust } from "@newleaf/rotation";
import { createTrustBundle } from "@newleaf/x509";
import { checkSvidLeaf, signingPathProblem } from "./internal/svid-rules.ts";
import { bundleOf } from "./verify-x509-svid.ts";
import type { X509Bundles } from "./x509-bundle.ts";

/**
 * The bundles as a generation of `@newleaf/rotation` trusts by them: a peer must be an X509-SVID, and verifies to the
 * bundle of its own trust domain only. A frozen snapshot: later changes to the map do not show.
 */
export function createSpiffePeerTrust(bundles: X509Bundles): PeerTrust {
  const snapshot: X509Bundles = new Map(bundles);
  const everyone = createTrustBundle([...snapshot.values()].flatMap(({ certificates }) => certificates));
  return Object.freeze({
    sha256: hashOf(snapshot),
    certificates: everyone.certificates,
    select(leaf) {
      const svid = checkSvidLeaf(leaf);
      return svid.ok ? bundleOf(svid.id.trustDomain, snapshot) : { code: "not_svid", message: svid.message };
    },
    objection(path) {
      const message = signingPathProblem(path);
      return message === undefined ? undefined : { code: "not_svid", message };
    },
  } satisfies PeerTrust);
}

/** Over names and contents: the same authorities under another name are another trust. */
function hashOf(bundles: X509Bundles): string {
  const lines = [...bundles].map(([name, { sha256 }]) => `${name} ${sha256}\n`).sort();
  return createHash("sha256").update(lines.join("")).digest("hex");
}
