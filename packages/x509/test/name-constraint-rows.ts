import type { GeneralName } from "../src/general-name.ts";
import { directory, dns, emptyName, otherName } from "./certificate-factory.ts";

/** One name of a leaf below a CA with one constraint (RFC 5280 4.2.1.10). */
export interface NameConstraintRow {
  readonly permitted?: readonly GeneralName[];
  readonly excluded?: readonly GeneralName[];
  readonly names: readonly GeneralName[];
  /** Default: empty. */
  readonly subject?: string;
  readonly ok: boolean;
}

const uri = (value: string): GeneralName => ({ type: "uri", value });
const email = (value: string): GeneralName => ({ type: "email", value });
const ip = (value: string): GeneralName => ({ type: "ip", value });

/** Named by what they show; the names are unique. */
export const NAME_CONSTRAINT_ROWS: Readonly<Record<string, NameConstraintRow>> = {
  "dns: the base itself": { permitted: [dns("example.com")], names: [dns("example.com")], ok: true },
  "dns: a label more": { permitted: [dns("example.com")], names: [dns("a.example.com")], ok: true },
  "dns: two labels more": { permitted: [dns("example.com")], names: [dns("a.b.example.com")], ok: true },
  "dns: letters before the base": {
    permitted: [dns("example.com")],
    names: [dns("badexample.com")],
    ok: false,
  },
  "dns: another domain": { permitted: [dns("example.com")], names: [dns("example.org")], ok: false },
  "dns: the parent": { permitted: [dns("a.example.com")], names: [dns("example.com")], ok: false },
  "dns: case does not count": { permitted: [dns("Example.COM")], names: [dns("a.eXample.com")], ok: true },
  "dns: leading dot, subdomain": {
    permitted: [dns(".example.com")],
    names: [dns("a.example.com")],
    ok: true,
  },
  "dns: leading dot, itself": { permitted: [dns(".example.com")], names: [dns("example.com")], ok: false },
  "dns: empty base permits all": { permitted: [emptyName("dns")], names: [dns("example.com")], ok: true },
  "dns: empty base excludes all": { excluded: [emptyName("dns")], names: [dns("example.com")], ok: false },
  "dns: one of two bases": {
    permitted: [dns("example.com"), dns("example.org")],
    names: [dns("a.example.org"), dns("b.example.com")],
    ok: true,
  },
  "dns: one of two names is outside": {
    permitted: [dns("example.com")],
    names: [dns("a.example.com"), dns("a.example.org")],
    ok: false,
  },
  "dns: excluded": { excluded: [dns("example.com")], names: [dns("example.com")], ok: false },
  "dns: below the excluded": { excluded: [dns("example.com")], names: [dns("a.b.example.com")], ok: false },
  "dns: not excluded": { excluded: [dns("example.com")], names: [dns("example.org")], ok: true },
  "dns: excluded inside of permitted": {
    permitted: [dns("example.com")],
    excluded: [dns("secret.example.com")],
    names: [dns("a.secret.example.com")],
    ok: false,
  },
  "dns: beside the excluded": {
    permitted: [dns("example.com")],
    excluded: [dns("secret.example.com")],
    names: [dns("a.example.com")],
    ok: true,
  },
  "dns: wildcard inside": { permitted: [dns("example.com")], names: [dns("*.example.com")], ok: true },
  "dns: wildcard outside": { permitted: [dns("a.example.com")], names: [dns("*.example.com")], ok: false },
  "dns: wildcard below the excluded": {
    excluded: [dns("example.com")],
    names: [dns("*.a.example.com")],
    ok: false,
  },
  "dns: wildcard that covers the excluded": {
    excluded: [dns("secret.example.com")],
    names: [dns("*.example.com")],
    ok: false,
  },
  "dns: wildcard two labels above the excluded": {
    excluded: [dns("a.secret.example.com")],
    names: [dns("*.example.com")],
    ok: true,
  },
  "dns: malformed name under a constraint": {
    excluded: [dns("example.org")],
    names: [dns("a..example.com")],
    ok: false,
  },
  "dns: final dot under a constraint": {
    excluded: [dns("example.com")],
    names: [dns("a.example.com.")],
    ok: false,
  },
  "dns: wildcard as excluded base": {
    excluded: [dns("*.example.com")],
    names: [dns("a.example.com")],
    ok: false,
  },
  "dns: constraint on another form": {
    permitted: [uri("example.com")],
    names: [dns("a.example.org")],
    ok: true,
  },
  "dns: common name when there is no DNS name": {
    permitted: [dns("example.com")],
    names: [],
    subject: "CN=a.example.org",
    ok: false,
  },
  "dns: permitted common name": {
    permitted: [dns("example.com")],
    names: [],
    subject: "CN=a.example.com",
    ok: true,
  },
  "dns: common name that is no host": {
    permitted: [dns("example.com")],
    names: [],
    subject: "CN=frontend",
    ok: true,
  },
  "dns: common name beside a DNS name": {
    permitted: [dns("example.com")],
    names: [dns("a.example.com")],
    subject: "CN=a.example.org",
    ok: true,
  },
  "uri: the host itself": {
    permitted: [uri("example.com")],
    names: [uri("spiffe://example.com/a")],
    ok: true,
  },
  "uri: host with port and path": {
    permitted: [uri("example.com")],
    names: [uri("https://example.com:8443/a?b#c")],
    ok: true,
  },
  "uri: without a path": { permitted: [uri("example.com")], names: [uri("https://example.com")], ok: true },
  "uri: case does not count": {
    permitted: [uri("example.COM")],
    names: [uri("https://EXAMPLE.com/")],
    ok: true,
  },
  "uri: a host base has no subdomains": {
    permitted: [uri("example.com")],
    names: [uri("spiffe://a.example.com/x")],
    ok: false,
  },
  "uri: leading dot, subdomain": {
    permitted: [uri(".example.com")],
    names: [uri("spiffe://a.b.example.com/x")],
    ok: true,
  },
  "uri: leading dot, itself": {
    permitted: [uri(".example.com")],
    names: [uri("spiffe://example.com/x")],
    ok: false,
  },
  "uri: another host": { permitted: [uri("example.com")], names: [uri("spiffe://example.org/x")], ok: false },
  "uri: excluded": { excluded: [uri("example.com")], names: [uri("spiffe://example.com/x")], ok: false },
  "uri: not excluded": { excluded: [uri("example.com")], names: [uri("spiffe://example.org/x")], ok: true },
  "uri: without an authority": { permitted: [uri("example.com")], names: [uri("urn:example:a")], ok: false },
  "uri: without an authority, excluded": {
    excluded: [uri("example.com")],
    names: [uri("urn:example:a")],
    ok: false,
  },
  "uri: empty host": { permitted: [uri("example.com")], names: [uri("file:///etc/passwd")], ok: false },
  "uri: IPv6 host": { excluded: [uri("example.com")], names: [uri("https://[::1]/")], ok: false },
  "uri: IPv4 host": { excluded: [uri("example.com")], names: [uri("https://10.0.0.1/")], ok: false },
  "uri: host behind user information": {
    permitted: [uri("example.com")],
    names: [uri("https://example.com@example.org/")],
    ok: false,
  },
  "uri: excluded host behind user information": {
    excluded: [uri("example.org")],
    names: [uri("https://example.com@example.org/")],
    ok: false,
  },
  "uri: excluded host before a query": {
    excluded: [uri("example.org")],
    names: [uri("https://example.org?a")],
    ok: false,
  },
  "uri: empty base excludes all": {
    excluded: [emptyName("uri")],
    names: [uri("spiffe://example.org/x")],
    ok: false,
  },
  "email: the mailbox": { permitted: [email("a@example.com")], names: [email("a@example.com")], ok: true },
  "email: host of the mailbox in other case": {
    permitted: [email("a@example.com")],
    names: [email("a@EXAMPLE.com")],
    ok: true,
  },
  "email: local part in other case": {
    permitted: [email("a@example.com")],
    names: [email("A@example.com")],
    ok: false,
  },
  "email: another mailbox": {
    permitted: [email("a@example.com")],
    names: [email("b@example.com")],
    ok: false,
  },
  "email: any mailbox of the host": {
    permitted: [email("example.com")],
    names: [email("b@example.com")],
    ok: true,
  },
  "email: host base, subdomain": {
    permitted: [email("example.com")],
    names: [email("b@a.example.com")],
    ok: false,
  },
  "email: leading dot, subdomain": {
    permitted: [email(".example.com")],
    names: [email("b@a.example.com")],
    ok: true,
  },
  "email: leading dot, itself": {
    permitted: [email(".example.com")],
    names: [email("b@example.com")],
    ok: false,
  },
  "email: excluded host": { excluded: [email("example.com")], names: [email("b@example.com")], ok: false },
  "email: not excluded": { excluded: [email("example.com")], names: [email("b@example.org")], ok: true },
  "email: without a host": { excluded: [email("example.com")], names: [email("b")], ok: false },
  "email: quoted local part": {
    excluded: [email("b@example.com")],
    names: [email('"b"@example.com')],
    ok: false,
  },
  "email: in the subject": {
    permitted: [email("example.com")],
    names: [],
    subject: "CN=x,emailAddress=b@example.org",
    ok: false,
  },
  "email: permitted in the subject": {
    permitted: [email("example.com")],
    names: [],
    subject: "CN=x,emailAddress=b@example.com",
    ok: true,
  },
  "ip: inside": { permitted: [ip("10.0.0.0/8")], names: [ip("10.1.2.3")], ok: true },
  "ip: outside": { permitted: [ip("10.0.0.0/8")], names: [ip("11.1.2.3")], ok: false },
  "ip: last of a /30": { permitted: [ip("10.0.0.4/30")], names: [ip("10.0.0.7")], ok: true },
  "ip: past a /30": { permitted: [ip("10.0.0.4/30")], names: [ip("10.0.0.8")], ok: false },
  "ip: one address": { permitted: [ip("10.0.0.4/32")], names: [ip("10.0.0.4")], ok: true },
  "ip: excluded": { excluded: [ip("10.0.0.0/8")], names: [ip("10.1.2.3")], ok: false },
  "ip: not excluded": { excluded: [ip("10.0.0.0/8")], names: [ip("192.168.0.1")], ok: true },
  "ip: everything excluded": { excluded: [ip("0.0.0.0/0")], names: [ip("192.168.0.1")], ok: false },
  "ip: IPv6 inside": { permitted: [ip("2001:db8::/32")], names: [ip("2001:db8:1::5")], ok: true },
  "ip: IPv6 outside": { permitted: [ip("2001:db8::/32")], names: [ip("2001:db9::5")], ok: false },
  "ip: IPv6 under an IPv4 permission": {
    permitted: [ip("10.0.0.0/8")],
    names: [ip("2001:db8::1")],
    ok: false,
  },
  "ip: IPv6 under an IPv4 exclusion": { excluded: [ip("0.0.0.0/0")], names: [ip("2001:db8::1")], ok: true },
  "directory: below the base": {
    permitted: [directory("O=Shop,C=NL")],
    names: [],
    subject: "CN=a,OU=b,O=Shop,C=NL",
    ok: true,
  },
  "directory: the base itself": {
    permitted: [directory("O=Shop,C=NL")],
    names: [],
    subject: "O=Shop,C=NL",
    ok: true,
  },
  "directory: above the base": {
    permitted: [directory("O=Shop,C=NL")],
    names: [],
    subject: "C=NL",
    ok: false,
  },
  "directory: another branch": {
    permitted: [directory("O=Shop,C=NL")],
    names: [],
    subject: "CN=a,O=Bank,C=NL",
    ok: false,
  },
  "directory: parts in another order": {
    permitted: [directory("O=Shop,C=NL")],
    names: [],
    subject: "CN=a,C=NL,O=Shop",
    ok: false,
  },
  "directory: case and blanks do not count": {
    permitted: [directory("O=The Shop,C=NL")],
    names: [],
    subject: "CN=a,O=the  SHOP,C=NL",
    ok: true,
  },
  "directory: two values in one part": {
    permitted: [directory("O=Shop+L=Delft,C=NL")],
    names: [],
    subject: "CN=a,L=Delft+O=Shop,C=NL",
    ok: true,
  },
  "directory: longer value": {
    permitted: [directory("O=Shop")],
    names: [],
    subject: "CN=a,O=Shopping",
    ok: false,
  },
  "directory: excluded": { excluded: [directory("O=Shop")], names: [], subject: "CN=a,O=Shop", ok: false },
  "directory: not excluded": { excluded: [directory("O=Shop")], names: [], subject: "CN=a,O=Bank", ok: true },
  "directory: alternative name outside": {
    permitted: [directory("O=Shop")],
    names: [directory("CN=a,O=Bank")],
    subject: "CN=a,O=Shop",
    ok: false,
  },
  "directory: empty subject": { permitted: [directory("O=Shop")], names: [dns("a.example.com")], ok: true },
  "other: unknown form meets its constraint": { permitted: [otherName()], names: [otherName()], ok: false },
  "other: unknown form excluded": { excluded: [otherName()], names: [otherName()], ok: false },
  "other: constraint without such a name": {
    permitted: [otherName()],
    names: [dns("a.example.com")],
    ok: true,
  },
  "other: such a name without a constraint": {
    permitted: [dns("example.com")],
    names: [otherName()],
    ok: true,
  },
};
