import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { NAME, webhookRules } from "./cluster-objects.ts";

const chart = new URL("../../../../deploy/charts/webhook/templates/rbac.yaml", import.meta.url);

test("the webhook has the rights that its chart gives it, and no others", () => {
  const text = readFileSync(chart, "utf8")
    .replaceAll("{{ .Values.name }}", NAME)
    .replaceAll(/\{\{ if eq \.Values\.acknowledge "pod" \}\}(.*?)\{\{ end \}\}/g, "$1")
    .replaceAll(/\{\{ if eq \.Values\.acknowledge "lease" \}\}.*?\{\{ end \}\}/g, "");
  const rulesOf = (kind: string): readonly object[] => {
    const document = text.split(/^---$/m).find((part) => part.includes(`\nkind: ${kind}\n`)) ?? "";
    return document.split("- apiGroups:").slice(1).map(ruleOf);
  };
  expect(rulesOf("Role")).toEqual(webhookRules.role);
  expect(rulesOf("ClusterRole")).toEqual(webhookRules.clusterRole);
});

/** `apiGroups` and what follows it, each a list in brackets. */
function ruleOf(text: string): object {
  const lists = [...`apiGroups:${text}`.matchAll(/(\w+): ?\[(.*?)\]/g)].map(([, field = "", items = ""]) => [
    field,
    items.split(", ").map((item) => item.replaceAll('"', "")),
  ]);
  return Object.fromEntries(lists);
}
