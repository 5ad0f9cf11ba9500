import { expect, test } from "vitest";
import * as kube from "../src/index.ts";

// The published surface. A name added or removed here belongs in the changelog.
const INDEX = `
KubeError
compareResourceVersions connectKube createBackoff createKubeClient createKubeTransport createReflector
defineResource dropBookkeeping electLeader inClusterConfig loadKubeconfig objectKey resources
selectFields silentLogger startInformer systemClock valueOrThrow
`;

test("the package exports the listed names", () => {
  expect(Object.keys(kube).sort()).toEqual(INDEX.trim().split(/\s+/).sort());
});
