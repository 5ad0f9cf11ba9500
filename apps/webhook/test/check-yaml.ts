import { lint } from "../src/lint/lint.ts";
import { policySettings } from "../src/policy/policy-settings.ts";
import type { RuleId } from "../src/policy/rule.ts";

/** What one rule finds in YAML documents, as `field: message`. */
export function findingsOf(rule: RuleId, yaml: string): readonly string[] {
  const settings = policySettings({
    rule: ["all=off", `${rule}=deny`],
    kubeletSync: 90_000,
    drain: 30_000,
    maxTokenLifetime: 86_400_000,
  });
  const report = lint([{ path: "test.yaml", text: yaml }], settings);
  if (report.problems.length > 0) throw new Error(report.problems[0]?.message);
  return report.findings.map(({ field, message }) => `${field}: ${message}`);
}

/** A Pod of one container `app`, with YAML for the container, the Pod's spec, and its volumes. */
export function podYaml(parts: { container?: string; spec?: string; volumes?: string }): string {
  const indented = (text: string | undefined, by: number) =>
    (text ?? "")
      .trim()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => " ".repeat(by) + line)
      .join("\n");
  return `
apiVersion: v1
kind: Pod
metadata: { name: web, namespace: shop }
spec:
${indented(parts.spec, 2)}
  containers:
    - name: app
${indented(parts.container, 6)}
  volumes:
${indented(parts.volumes ?? "[]", 4)}
`;
}
