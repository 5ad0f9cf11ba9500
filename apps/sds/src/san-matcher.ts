import { usageError } from "@newleaf/daemon";

/** A name that a peer's certificate must have; one of several is enough. */
export interface SanMatcher {
  readonly type: "uri" | "dns" | "email" | "ip";
  readonly how: "exact" | "prefix" | "suffix";
  readonly value: string;
}

/** Matchers by the validation context that they belong to. */
export type SanMatchers = ReadonlyMap<string, readonly SanMatcher[]>;

const HINT =
  "write NAME=TYPE:VALUE, such as web-ca=dns:frontend.shop.svc, ROOTCA=uri:spiffe://shop/frontend, " +
  "ROOTCA=uri-prefix:spiffe://shop/ns/a/ or web-ca=dns-suffix:.shop.svc";
const PATTERN = /^([^=]+)=(uri|dns|email|ip)(?:-(prefix|suffix))?:(.+)$/;
const LONGEST_VALUE = 2_048;

/** Reads `NAME=TYPE[-prefix|-suffix]:VALUE`, each once. */
export function parseSanMatchers(texts: readonly string[]): SanMatchers {
  const byContext = new Map<string, SanMatcher[]>();
  for (const text of texts) {
    const { context, matcher } = parseSanMatcher(text);
    byContext.set(context, [...(byContext.get(context) ?? []), matcher]);
  }
  return byContext;
}

function parseSanMatcher(text: string): { context: string; matcher: SanMatcher } {
  const [, context = "", type, how = "exact", value = ""] = PATTERN.exec(text) ?? [];
  if (type === undefined || value.length > LONGEST_VALUE) {
    throw usageError(`--match-san ${JSON.stringify(text.slice(0, 200))} cannot be read`, HINT);
  }
  if (type === "ip" && how !== "exact")
    throw usageError("--match-san: an IP address has no prefix here", HINT);
  // spiffe://shop/ns/a as a prefix would let in spiffe://shop/ns/admin.
  if (type === "uri" && how === "prefix" && !value.endsWith("/")) {
    throw usageError(
      `--match-san ${JSON.stringify(text)}: a prefix of a URI must end with a slash`,
      `write ${context}=uri-prefix:${value}/ for all below it, or ${context}=uri:${value} for this one alone`,
    );
  }
  if (type === "dns" && how === "suffix" && !value.startsWith(".")) {
    throw usageError(
      `--match-san ${JSON.stringify(text)}: a suffix of a DNS name must begin with a dot`,
      `write ${context}=dns-suffix:.${value}`,
    );
  }
  return { context, matcher: { type, how, value } as SanMatcher };
}
