import type { Pod } from "@newleaf/kube";
import { expect, test } from "vitest";
import { annotationNames } from "./annotations.ts";
import { replicasOf } from "./replica.ts";

const names = annotationNames();
const pod = (name: string, phase: string | undefined, annotations: Record<string, string> = {}): Pod => ({
  metadata: { name, uid: name, annotations },
  ...(phase !== undefined && { status: { phase } }),
});

test("who may be serving is waited for: what runs, and what has loaded something before the kubelet says that it runs", () => {
  const loaded = { [names.acknowledgedCertHash]: "abc" };
  const leaving = pod("leaving", "Running", loaded);
  leaving.metadata = { ...leaving.metadata, deletionTimestamp: "2030-01-01T00:00:00Z" };
  const pods = [
    pod("running", "Running"),
    pod("reported-late", "Pending", loaded),
    pod("not-reported", undefined, loaded),
    pod("not-started", "Pending"),
    pod("finished", "Succeeded", loaded),
    pod("failed", "Failed", loaded),
    leaving,
  ];
  expect(replicasOf(pods, [], { name: "hook", names }).map(({ name }) => name)).toEqual([
    "running",
    "reported-late",
    "not-reported",
  ]);
});
