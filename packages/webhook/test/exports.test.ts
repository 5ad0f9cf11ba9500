import { expect, test } from "vitest";
import * as webhook from "../src/index.ts";

// The published surface. A name added or removed here belongs in the changelog.
const INDEX = `
DEFAULT_ANNOTATION_PREFIX WebhookError
annotationNames candidatePermissions createAdmissionHandler describePermission followCertificate followerPermissions
leadCertificate parseAnnouncement serviceDnsNames verdict watchSecret
`;

test("the package exports the listed names", () => {
  expect(Object.keys(webhook).sort()).toEqual(INDEX.trim().split(/\s+/).sort());
});
