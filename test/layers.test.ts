import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

const root = new URL("../", import.meta.url);
// From the bottom up, as in ARCHITECTURE.md: a package depends only on packages of a lower row.
const layers = [
  ["packages/x509", "packages/daemon", "packages/proto"],
  ["packages/kube", "packages/rotation", "packages/testing"],
  ["packages/spiffe", "packages/webhook"],
  ["packages/observe"],
  ["apps/ca", "apps/doctor", "apps/helper", "apps/probe", "apps/proxy", "apps/sds", "apps/webhook"],
  ["apps/demo"],
  ["apps/cli"],
];

interface Manifest {
  name: string;
  dependencies?: Record<string, string>;
  devDependencies?: Record<string, string>;
}
const manifest = (path: string): Manifest =>
  JSON.parse(readFileSync(new URL(`${path}/package.json`, root), "utf8")) as Manifest;

test("each package depends only on packages of a lower layer", () => {
  const rank = new Map(
    layers.flatMap((paths, row) => paths.map((path) => [manifest(path).name, row] as const)),
  );
  for (const [row, paths] of layers.entries()) {
    for (const path of paths) {
      const above = Object.keys(manifest(path).dependencies ?? {}).filter(
        (name) => (rank.get(name) ?? -1) >= row,
      );
      expect(above, `${path} imports upward or sideways`).toEqual([]);
    }
  }
});

test("every package and program has its place in the layers", () => {
  const present = ["packages", "apps"].flatMap((group) =>
    readdirSync(new URL(group, root)).map((name) => `${group}/${name}`),
  );
  expect(present.sort()).toEqual(layers.flat().sort());
});

test("the published libraries stay small: x509 has no dependency, rotation has x509 only", () => {
  expect(manifest("packages/x509").dependencies ?? {}).toEqual({});
  expect(Object.keys(manifest("packages/rotation").dependencies ?? {})).toEqual(["@newleaf/x509"]);
});
