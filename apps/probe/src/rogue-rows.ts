import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { ConnectionOptions } from "node:tls";
import { EKU, issueIntermediate } from "@newleaf/x509";
import { type Attempt, attemptOctets, attemptRequest, requestText } from "./attempt.ts";
import { type Credentials, credentials, foreignAuthority, forge, HOUR_MS } from "./forged-identity.ts";
import { attemptUnfinished, serverIssuerName } from "./handshakes.ts";
import type { RogueContext } from "./rogue-means.ts";

/** One row of the refusal matrix. */
export interface RogueRow {
  readonly name: string;
  readonly description: string;
  readonly needs: readonly ("own" | "authority" | "revoked")[];
  /** The one row that should be served: without it, a refusal shows nothing. */
  readonly control?: true;
  attempt(context: RogueContext): Promise<Attempt | Skipped>;
}

/** The row could not be tried, for this reason. */
interface Skipped {
  readonly skipped: string;
}

/** A row that differs from the control in the certificate only. */
function certificateRow(
  name: string,
  description: string,
  needs: RogueRow["needs"],
  present: (context: Required<RogueContext>) => Credentials | Promise<Credentials>,
): RogueRow {
  return {
    name,
    description,
    needs,
    attempt: async (context) => request(context, await present(context as Required<RogueContext>)),
  };
}

function request(context: RogueContext, tls: ConnectionOptions): Promise<Attempt> {
  return attemptRequest(context.target, { minVersion: "TLSv1.3", ...tls }, context);
}

/** The refusal matrix, in the order in which it is tried. The names are those of the server's rejection codes. */
export const ROGUE_ROWS: readonly RogueRow[] = [
  {
    ...certificateRow("control", "our own certificate, which must be served", ["own"], ownCredentials),
    control: true,
  },
  {
    name: "no_certificate",
    description: "no certificate",
    needs: [],
    attempt: (context) => request(context, {}),
  },
  certificateRow("unknown_authority", "another authority", [], ({ names }) =>
    forge(foreignAuthority("CN=somebody else"), names),
  ),
  certificateRow(
    "impostor_authority",
    "another authority under the name of the peer's own",
    [],
    async (context) => forge(foreignAuthority(await serverIssuerName(context)), context.names),
  ),
  certificateRow("foreign_expired", "another authority, expired", [], ({ names }) =>
    forge(foreignAuthority("CN=somebody else"), names, expired()),
  ),
  certificateRow("foreign_ca_as_leaf", "another authority's own certificate", [], () => {
    const { certificate, key } = foreignAuthority("CN=somebody else");
    return credentials([certificate], key);
  }),
  certificateRow("expired", "expired", ["authority"], ({ authority, names }) =>
    forge(authority, names, expired()),
  ),
  certificateRow("not_yet_valid", "not yet valid", ["authority"], ({ authority, names }) =>
    forge(authority, names, {
      notBefore: new Date(Date.now() + HOUR_MS),
      notAfter: new Date(Date.now() + 2 * HOUR_MS),
    }),
  ),
  certificateRow("wrong_usage", "for servers only (EKU)", ["authority"], ({ authority, names }) =>
    forge(authority, names, { extendedKeyUsage: [EKU.serverAuth] }),
  ),
  certificateRow("not_allowed", "a stranger's names", ["authority"], ({ authority }) =>
    forge(authority, {
      subject: "CN=stranger",
      dnsNames: ["stranger.invalid"],
      uris: ["spiffe://invalid/stranger"],
    }),
  ),
  certificateRow(
    "chain_incomplete",
    "the intermediate is not sent along",
    ["authority"],
    ({ authority, names }) => {
      const intermediate = issueIntermediate(authority, {
        subject: "CN=intermediate",
        notAfter: new Date(Date.now() + HOUR_MS),
      });
      return forge(intermediate, names);
    },
  ),
  certificateRow("ca_as_leaf", "a CA certificate used as a leaf", ["authority"], ({ authority, names }) =>
    forge(authority, names, { isCa: true, keyUsage: ["digitalSignature", "keyCertSign"] }),
  ),
  certificateRow("revoked", "revoked", ["revoked"], ({ revoked }) => revoked),
  {
    name: "resumed_after_expiry",
    description: "a session resumed after the certificate expired",
    needs: ["authority"],
    attempt: resumeAfterExpiry,
  },
  {
    name: "unsupported_protocol",
    description: "TLS 1.2 at most",
    needs: ["own"],
    attempt: (context) =>
      request(context, { ...ownCredentials(context), minVersion: "TLSv1.2", maxVersion: "TLSv1.2" }),
  },
  {
    name: "plain_http",
    description: "plain HTTP on the TLS port",
    needs: [],
    attempt: (context) => attemptOctets(context.target, requestText(context.target), context),
  },
  {
    name: "not_tls",
    description: "garbage",
    needs: [],
    attempt: (context) =>
      attemptOctets(context.target, Buffer.concat([Buffer.of(0), randomBytes(255)]), context),
  },
  {
    name: "handshake_timeout",
    description: "a handshake that is never finished",
    needs: [],
    attempt: attemptUnfinished,
  },
];

function ownCredentials({ own }: RogueContext): Credentials {
  if (!own) throw new Error("this row needs our own certificate");
  return credentials([own.leaf, ...own.chain], own.key);
}

function expired(): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(Date.now() - 2 * HOUR_MS), notAfter: new Date(Date.now() - HOUR_MS) };
}

const SHORT_LIFE_MS = 3_000;

/** Gets a ticket with a certificate of a few seconds, waits for its end, and offers the ticket. */
async function resumeAfterExpiry(context: RogueContext): Promise<Attempt | Skipped> {
  const { authority, names, signal } = context;
  if (!authority) return { skipped: "needs --ca" };
  const notAfter = new Date(Date.now() + SHORT_LIFE_MS);
  const shortLived = forge(authority, names, { notAfter });
  const first = await request(context, shortLived);
  if (first.outcome.kind !== "served")
    return { skipped: "a certificate under these names is not served at all" };
  if (!first.session) return { skipped: "the peer gives no tickets" };
  await delay(notAfter.getTime() - Date.now() + 1_000, undefined, { signal });
  return request(context, { ...shortLived, session: first.session });
}
