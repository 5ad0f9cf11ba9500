import { expect, test } from "vitest";
import { parseManifests } from "./parse-manifests.ts";

test("values as Kubernetes reads them: octal modes, texts that look like dates, merges, the later of two keys", () => {
  const { documents } = parseManifests(
    "a.yaml",
    "mode: 0400\nday: 2026-01-01\na: &a { b: 1 }\nc: { <<: *a }\nd: 1\nd: 2\n",
  );
  expect(documents[0]?.value).toEqual({ mode: 256, day: "2026-01-01", a: { b: 1 }, c: { b: 1 }, d: 2 });
});

test("the place of a field, of the nearest one above it that is there, and through an alias", () => {
  const text = "kind: Pod\nspec:\n  list:\n    - a: 1\n    - b: 2\nbase: &base\n  deep: 1\nuse: *base\n";
  const [document] = parseManifests("a.yaml", `---\n${text}`).documents;
  expect(document?.locate(["spec", "list", 1, "b"])).toEqual({ line: 6, column: 7 });
  expect(document?.locate(["spec", "list", 1, "absent", "more"])).toEqual({ line: 6, column: 7 });
  expect(document?.locate(["spec", "list", 9])).toEqual({ line: 4, column: 3 });
  expect(document?.locate(["use", "deep"])).toEqual({ line: 8, column: 3 });
  expect(document?.locate([])).toEqual({ line: 2, column: 1 });
});

test("a document that is no YAML is named by its place; those around it are read", () => {
  const { documents, problems } = parseManifests("a.yaml", "a: 1\n---\nb: [1\n---\nc: 3\n");
  expect(documents.map(({ value }) => value)).toEqual([{ a: 1 }, { c: 3 }]);
  expect(problems).toEqual([
    { file: "a.yaml", line: 4, column: 1, message: expect.stringMatching(/^a\.yaml:4:1 is not YAML: /) },
  ]);
});

test("a template that was not rendered has a hint", () => {
  const { problems } = parseManifests("a.yaml", "a: {{ .Values.x }}\nb: [\n");
  expect(problems[0]?.hint).toContain("helm template");
});

test("JSON with tabs", () => {
  const { documents, problems } = parseManifests(
    "a.json",
    '{\n\t"kind": "Pod",\n\t"spec": {"x\\/y": [1]}\n}\n',
  );
  expect(problems).toEqual([]);
  expect(documents[0]?.value).toEqual({ kind: "Pod", spec: { "x/y": [1] } });
  expect(documents[0]?.locate(["spec"])).toEqual({ line: 3, column: 2 });
});

test("aliases that multiply, and nesting without end, are refused in a moment", () => {
  const levels = Array.from(
    { length: 9 },
    (_, n) =>
      `a${n}: &a${n} [${Array(9)
        .fill(n === 0 ? "x" : `*a${n - 1}`)
        .join(",")}]`,
  );
  expect(parseManifests("a.yaml", levels.join("\n")).problems).toHaveLength(1);
  expect(parseManifests("b.yaml", "[".repeat(100_000)).problems).toHaveLength(1);
});
