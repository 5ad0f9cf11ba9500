import { expect, test } from "vitest";
import { days, intermediate, leaf, NOW, root } from "../test/certificate-factory.ts";
import { validatePath } from "./path.ts";
import { createTrustBundle } from "./trust-bundle.ts";

test("a leaf below its root is valid until the first of them ends", () => {
  const ca = root({ subject: "root" });
  const sub = intermediate(ca, { subject: "sub", to: days(20) });
  const { certificate } = leaf(sub, { to: days(25) });
  const trust = createTrustBundle([ca.certificate]);
  const result = validatePath(certificate, trust, {
    now: NOW,
    purpose: "clientAuth",
    intermediates: [sub.certificate],
  });
  expect(result).toEqual({
    ok: true,
    path: [certificate, sub.certificate, ca.certificate],
    validUntil: days(20),
  });
});
