// What helm renders of our charts and of others' is linted without a wrong finding, and with the right ones.
// Needs: helm; the charts that e2e/setup fetches.
import { expect, test } from "vitest";
import { component } from "../component.ts";
import { run, runNewleaf } from "../process.ts";

const helm = component("NEWLEAF_HELM");
const charts = component("NEWLEAF_CHARTS");

/** `rule kind/name field` of every finding in a chart rendered with these settings. */
async function lintChart(chart: string, settings: readonly string[]) {
  const name = chart.slice(chart.lastIndexOf("/") + 1);
  const set = settings.flatMap((setting) => ["--set", setting]);
  const rendered = await run(helm ?? "", ["template", name, chart, "--namespace", name, ...set]);
  expect(rendered, rendered.stderr).toMatchObject({ code: 0 });
  const linted = await runNewleaf(["lint", "-", "--json"], { input: rendered.stdout });
  expect(linted.stderr).toBe("");
  const { findings, summary } = JSON.parse(linted.stdout) as Report;
  expect(summary.objects).toBeGreaterThan(5);
  return {
    code: linted.code,
    findings: findings.map(({ rule, object, field }) => `${rule} ${object.kind}/${object.name} ${field}`),
  };
}

interface Report {
  findings: { rule: string; field: string; object: { kind: string; name: string } }[];
  summary: { objects: number };
}

test.skipIf(helm === undefined).each(["mtls-demo", "spiffe-demo"])(
  "our chart %s has nothing to find (helm)",
  async (name) => {
    const chart = new URL(`../../deploy/charts/${name}`, import.meta.url).pathname;
    expect(await lintChart(chart, [])).toEqual({ code: 0, findings: [] });
  },
);

const withCharts = test.skipIf(helm === undefined || charts === undefined);

// With what they have of TLS switched on.
withCharts.each([
  ["cert-manager", []],
  ["cert-manager", ["webhook.config.metricsTLSConfig.dynamic.secretNamespace=cert-manager"]],
  ["trust-manager", ["secretTargets.enabled=true"]],
  ["trust-manager", ["app.webhook.tls.helmCert.enabled=true"]],
  ["external-secrets", []],
  ["external-secrets", ["webhook.certManager.enabled=true"]],
  ["kyverno", []],
  ["gatekeeper", []],
  ["ingress-nginx", []],
  ["ingress-nginx", ["controller.admissionWebhooks.certManager.enabled=true"]],
  ["metrics-server", ["tls.type=cert-manager"]],
  ["metrics-server", ["tls.type=existingSecret", "tls.existingSecret.name=metrics-server-tls"]],
])("%s %j has nothing to find (helm, charts)", async (name, settings) => {
  expect(await lintChart(`${charts}/${name}`, settings)).toEqual({ code: 0, findings: [] });
});

withCharts("kyverno mounts its CAs with subPath, and so never sees new ones (helm, charts)", async () => {
  const result = await lintChart(`${charts}/kyverno`, ["global.caCertificates.data=PEM"]);
  const found = (name: string) =>
    `subpath Deployment/kyverno-${name} spec.template.spec.containers[0].volumeMounts`;
  expect(result.code).toBe(1);
  expect(result.findings.map((finding) => finding.replace(/\[\d+]\.subPath$/, "")).sort()).toEqual(
    ["admission-controller", "background-controller", "reports-controller"].map(found),
  );
});

withCharts("a Certificate that is renewed too late (helm, charts)", async () => {
  const enabled = ["webhook.certManager.enabled=true", "webhook.certManager.cert.duration=1h"];
  const settings = [...enabled, "webhook.certManager.cert.renewBefore=1m"];
  expect(await lintChart(`${charts}/external-secrets`, settings)).toEqual({
    code: 0,
    findings: ["certificate-margin Certificate/external-secrets-webhook spec.renewBefore"],
  });
});
