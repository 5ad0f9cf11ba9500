import type { Certificate } from "./certificate.ts";
import type { GeneralName } from "./general-name.ts";
import { isSelfIssued } from "./internal/name-index.ts";
import {
  directoryWithin,
  dnsOverlaps,
  dnsWithin,
  emailWithin,
  hostWithin,
  ipWithin,
  isDnsName,
  isEmail,
  isEmailBase,
  isHostBase,
  uriHost,
} from "./internal/name-match.ts";
import { ATTRIBUTE, formatName } from "./name.ts";
import { type PathFailure, pathFailure } from "./path-failure.ts";

/** As in Go: far above any real chain, low enough that thousands of names times subtrees cost milliseconds. */
const MAX_COMPARISONS = 250_000;

type Subtrees = NonNullable<Certificate["nameConstraints"]>;

/**
 * Applies the name constraints of every CA of the path, the anchor included, to the certificates below it
 * (RFC 5280 4.2.1.10, 6.1.3 b and c). `path` runs from the leaf to the anchor.
 *
 * Constrained are the subject alternative names, the subject itself (directory names), mail addresses in the
 * subject, and, as OpenSSL does, a leaf's common name that looks like a DNS name when it has no DNS name.
 * Self-issued intermediates are exempt. Whatever cannot be compared for certain with a constraint on its form is
 * refused: malformed names or bases, URIs without a host name, forms this package does not know.
 */
export function checkNameConstraints(path: readonly Certificate[]): PathFailure | undefined {
  let comparisons = 0;
  for (let above = path.length - 1; above > 0; above--) {
    const subtrees = path[above]?.nameConstraints;
    if (subtrees === undefined) continue;
    for (let below = above - 1; below >= 0; below--) {
      const certificate = path[below];
      if (certificate === undefined || (below > 0 && isSelfIssued(certificate))) continue;
      const names = namesOf(certificate, below === 0);
      comparisons += names.length * (subtrees.permitted.length + subtrees.excluded.length);
      if (comparisons > MAX_COMPARISONS) {
        return pathFailure("limit", certificate, `more than ${MAX_COMPARISONS} name constraint comparisons`);
      }
      for (const name of names) {
        const violation = violationOf(name, subtrees);
        if (violation !== undefined) return pathFailure("name_constraints", certificate, violation);
      }
    }
  }
  return undefined;
}

function namesOf({ subject, subjectAltNames }: Certificate, isLeaf: boolean): readonly GeneralName[] {
  const names = [...subjectAltNames];
  if (subject.attributes.length > 0) names.push({ type: "directory", name: subject });
  for (const { oid, value } of subject.attributes) {
    if (oid === ATTRIBUTE.emailAddress) names.push({ type: "email", value });
  }
  if (isLeaf && !subjectAltNames.some((name) => name.type === "dns")) {
    for (const { oid, value } of subject.attributes) {
      if (oid === ATTRIBUTE.CN && value.includes(".") && isDnsName(value)) names.push({ type: "dns", value });
    }
  }
  return names;
}

/** How `name` breaks the constraints of one CA: both lists limit names of their own form only. */
function violationOf(name: GeneralName, { permitted, excluded }: Subtrees): string | undefined {
  const inForm = ({ base }: { base: GeneralName }) => isSameForm(base, name);
  const allowed = permitted.filter(inForm).map(({ base }) => base);
  const denied = excluded.filter(inForm).map(({ base }) => base);
  if (allowed.length === 0 && denied.length === 0) return undefined;
  const label = describe(name);
  if (!isComparable(name)) return `${label} cannot be compared with a name constraint of the path`;
  const oddBase = [...allowed, ...denied].find((base) => !isComparableBase(base));
  if (oddBase !== undefined)
    return `${label} meets the name constraint ${describe(oddBase)}, which is malformed`;
  if (allowed.length > 0 && !allowed.some((base) => isWithin(name, base, false))) {
    return `${label} is outside of the permitted names (${allowed.slice(0, 5).map(describe).join(", ")})`;
  }
  const exclusion = denied.find((base) => isWithin(name, base, true));
  return exclusion && `${label} is excluded by ${describe(exclusion)}`;
}

function isSameForm(a: GeneralName, b: GeneralName): boolean {
  if (a.type === "other" && b.type === "other") return a.tag === b.tag;
  return a.type === b.type;
}

function isComparable(name: GeneralName): boolean {
  switch (name.type) {
    case "dns":
      return isDnsName(name.value);
    case "uri":
      return uriHost(name.value) !== undefined;
    case "email":
      return isEmail(name.value);
    case "other":
      return false;
    default:
      return true;
  }
}

function isComparableBase(base: GeneralName): boolean {
  if (base.type === "dns" || base.type === "uri") return isHostBase(base.value);
  return base.type !== "email" || isEmailBase(base.value);
}

function isWithin(name: GeneralName, base: GeneralName, excluding: boolean): boolean {
  if (name.type === "directory") return base.type === "directory" && directoryWithin(name.name, base.name);
  if (name.type === "other" || base.type !== name.type) return false;
  switch (name.type) {
    case "dns":
      return excluding ? dnsOverlaps(name.value, base.value) : dnsWithin(name.value, base.value);
    case "uri":
      return hostWithin(uriHost(name.value) ?? "", base.value);
    case "email":
      return emailWithin(name.value, base.value);
    case "ip":
      return ipWithin(name.value, base.value);
  }
}

function describe(name: GeneralName): string {
  if (name.type === "directory") return `directory name "${formatName(name.name)}"`;
  if (name.type === "other") return `name of form [${name.tag}]`;
  return `${name.type} "${name.value}"`;
}
