import { formatDuration, roundMs, type Style } from "@newleaf/daemon";
import type { ServedVerdict } from "@newleaf/rotation";
import { type Certificate, formatName } from "@newleaf/x509";
import { short } from "./render-probe.ts";
import { servedRemark } from "./served-remark.ts";
import { renderTable } from "./table.ts";
import type { VerifyResult } from "./verify-targets.ts";

const WORDS: Readonly<Record<ServedVerdict, string>> = {
  equal: "served is what is stored",
  older: "still serves an older certificate than the one stored",
  newer: "serves a newer certificate than the one stored",
  foreign: "serves a certificate of somebody else",
  unreachable: "could not be asked",
};

/** What each target serves, as a table, and in one sentence each what is wrong. */
export function renderVerify(results: readonly VerifyResult[], style: Style, now: Date): string {
  const header = ["target", "verdict", "identity", "serial", "expires", "chain"];
  const rows = results.map((result) => row(result, now));
  const table = renderTable([header, ...rows], (text, line, column) => {
    if (line === 0) return style.bold(text);
    if (column !== 1) return text;
    return results[line - 1]?.ok ? style.green(text) : style.red(text);
  });
  const notes = results
    .filter((result) => !result.ok || servedRemark(result) !== undefined)
    .map((result) => sentence(result));
  return [table, ...notes].join("\n");
}

/** One line for `--watch`: when, what, and what it means. */
export function renderChange(result: VerifyResult, style: Style, now: Date): string {
  const [target = "", verdict = "", , serial = "", expires = ""] = row(result, now);
  const paint = result.ok ? style.green : style.red;
  return `${now.toISOString()} ${paint(verdict)} ${target} serial=${serial} expires ${expires}${result.ok ? "" : ` ${sentence(result)}`}`;
}

function row({ report, stored }: VerifyResult, now: Date): string[] {
  const { leaf } = report.served ?? {};
  const reached = report.verdict !== "unreachable";
  const verdict = stored || !reached ? report.verdict : "served";
  return [
    report.target,
    verdict,
    leaf ? nameOf(leaf) : "-",
    leaf ? short(leaf.serialNumber) : "-",
    leaf ? expiry(leaf, now) : "-",
    chain(report),
  ];
}

function chain({ trusted, served }: VerifyResult["report"]): string {
  if (!served) return "-";
  if (!trusted) return "not checked";
  return trusted.ok ? "valid" : trusted.code;
}

function sentence(result: VerifyResult): string {
  const { report, stored } = result;
  const remark = servedRemark(result);
  const parts: string[] = [];
  if (stored || report.verdict === "unreachable") parts.push(WORDS[report.verdict]);
  if (stored && report.served && report.verdict !== "equal") {
    parts.push(
      `stored is serial ${short(stored.leaf.serialNumber)}, since ${stored.leaf.notBefore.toISOString()}`,
    );
  }
  if (report.trusted?.ok === false) parts.push(`its chain is not valid: ${report.trusted.message}`);
  if (remark !== undefined) parts.push(remark);
  return `${report.target}: ${parts.join("; ")}`;
}

function nameOf({ subject, subjectAltNames }: Certificate): string {
  const named = ["uri", "dns", "ip"].map((type) => subjectAltNames.find((name) => name.type === type));
  const name = named.find((candidate) => candidate !== undefined);
  return name && "value" in name ? name.value : (subject.commonName ?? formatName(subject));
}

/** `in 3h12m` or `41m ago`, to the unit that matters. */
function expiry(leaf: Certificate, now: Date): string {
  const left = leaf.notAfter.getTime() - now.getTime();
  const unit = [86_400_000, 3_600_000, 60_000, 1_000].find((size) => Math.abs(left) >= 2 * size) ?? 1;
  const text = formatDuration(Math.trunc(Math.abs(left) / unit) * unit);
  return left < 0 ? `${text} ago` : `in ${text}`;
}

/** The facts of one target for `--json`. */
export function verifyFacts(result: VerifyResult): object {
  const { report, stored, ok } = result;
  const { target, verdict, served, trusted, durationMs } = report;
  const message = servedRemark(result);
  return {
    target,
    verdict: stored || verdict === "unreachable" ? verdict : "served",
    ok,
    ...(served
      ? {
          served: {
            ...facts(served.leaf),
            protocol: served.protocol,
            chain: served.chain.map((link) => facts(link)),
          },
        }
      : {}),
    ...(stored ? { stored: facts(stored.leaf) } : {}),
    ...(trusted
      ? {
          chain: trusted.ok
            ? { ok: true, validUntil: trusted.validUntil }
            : { ok: false, code: trusted.code, message: trusted.message },
        }
      : {}),
    ...(message ? { message } : {}),
    durationMs: roundMs(durationMs),
  };
}

function facts(certificate: Certificate): object {
  const { subject, issuer, serialNumber, sha256, notBefore, notAfter } = certificate;
  return {
    subject: formatName(subject),
    issuer: formatName(issuer),
    serialNumber,
    sha256,
    notBefore,
    notAfter,
  };
}
