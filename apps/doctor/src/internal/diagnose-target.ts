import { type PathFailure, validatePath } from "@newleaf/x509";
import type { Diagnosis, DiagnosisCode } from "../diagnosis.ts";
import type { Facts, ServedLeaf, StoreFacts, TargetFacts, Unreached } from "../facts.ts";
import { isLoadable, lastWritten } from "./diagnose-store.ts";
import { CLOSED_LOOP, reloadCommand } from "./remedies.ts";
import { moment, nameOf, relative, rounded, serial } from "./words.ts";

type Said = Pick<Diagnosis, "message" | "remedy" | "command">;

/** What is wrong with one target, most urgent first. */
export function diagnoseTarget(target: TargetFacts, facts: Facts, now: Date): readonly Diagnosis[] {
  if (target.unreached) return [unreached(target, target.unreached)];
  const { served } = target;
  if (!served) return [];
  return [
    freshness(target, served, facts, now),
    trust(target, served, facts, now),
    clientRefused(target, served, facts),
    upstream(target, served, facts),
  ].flatMap((found) => found ?? []);
}

function unreached(target: TargetFacts, { reason, message }: Unreached): Diagnosis {
  const because: Readonly<Record<Unreached["reason"], Said>> = {
    nothing_listens: {
      message: `nothing listens there (${message})`,
      remedy:
        "This is no certificate problem: no handshake took place. Start what should listen there, or wait for it; a container that restarts over it (CrashLoopBackOff) is waiting too.",
    },
    name_not_found: {
      message: `the name does not resolve (${message})`,
      remedy: "This is no certificate problem: look at DNS, the Service and its namespace.",
    },
    no_answer: {
      message: `there was no answer in time (${message})`,
      remedy:
        "This is no certificate problem so far: look at routes, network policies and the server's load.",
    },
    no_tls: {
      message: `it answers without TLS (${message})`,
      remedy:
        target.protocol === "postgres"
          ? "Set ssl = on; it takes a reload, and stays off while the files cannot be loaded at the start."
          : "This port speaks something else: check the port, or the server's configuration.",
    },
    no_handshake: {
      message: `the connection ended before a certificate was shown (${message})`,
      remedy: "Look at the server's own log; a proxy in between without a backend does this, too.",
    },
  };
  return { ...wrong(target, reason, because[reason]), certificates: reason === "no_tls" };
}

/** The certificate that is served against the clock and against the one that is stored. */
function freshness(target: TargetFacts, served: ServedLeaf, facts: Facts, now: Date): Diagnosis | undefined {
  const { stored } = facts;
  const expired = served.leaf.notAfter < now;
  if (stored && served.against === "foreign") return foreign(target, served, stored);
  if (stored && served.against === "newer" && !expired) {
    return wrong(target, "stored_behind", {
      message: `it serves ${serial(served.leaf)}, which is newer than what is stored in ${stored.name}`,
      remedy: "It reads other files than these: compare its configuration with the path given here.",
    });
  }
  if (stored && served.against === "older") return older(target, served, stored, facts, now);
  if (!expired) return undefined;
  return wrong(target, "served_expired", {
    message: `it serves ${serial(served.leaf)}, which expired ${relative(served.leaf.notAfter, now)}${stored ? ", and nothing newer is stored" : ""}`,
    remedy: stored
      ? "The rotation itself has stopped: neither reload nor restart can help before a new certificate is delivered."
      : "Name the directory that it reads (--certs) to see whether a newer one waits there.",
  });
}

function foreign(target: TargetFacts, { leaf }: ServedLeaf, stored: StoreFacts): Diagnosis {
  const whose = stored.leaf ? ` and ${stored.name} holds ${nameOf(stored.leaf)}` : "";
  return wrong(target, "foreign", {
    message: `it serves the certificate of ${nameOf(leaf)}${whose}`,
    remedy: "The target, or the directory, is somebody else's: check which belongs to which.",
  });
}

/** Rotated, and not what is served: the failure that only a handshake shows. */
function older(
  target: TargetFacts,
  served: ServedLeaf,
  stored: StoreFacts,
  facts: Facts,
  now: Date,
): Diagnosis {
  const expired = served.leaf.notAfter < now;
  const state = expired
    ? `it still serves ${serial(served.leaf, stored.leaf)}, which expired ${relative(served.leaf.notAfter, now)}: every new connection fails, and every client that reconnects with it`
    : `it still serves ${serial(served.leaf, stored.leaf)}, valid until ${moment(served.leaf.notAfter, now)}: nothing fails yet`;
  const code: DiagnosisCode = expired ? "served_expired" : "not_reloaded";
  if (!isLoadable(stored, facts)) {
    return wrong(target, code, {
      message: `${state}. It cannot load what is stored in ${stored.name}, so a reload alone changes nothing`,
      remedy: "Mend the files first, as said for them, then reload. A restart would end in no server at all.",
      command: reloadCommand(target, facts),
    });
  }
  const fresh = stored.leaf
    ? `${serial(stored.leaf, served.leaf)}, good until ${moment(stored.leaf.notAfter, now)}`
    : "newer";
  const refusal = refusedReload(target, stored, facts, now);
  if (refusal !== undefined) {
    return wrong(target, expired ? "served_expired" : "reload_refused", {
      message: `${state}. Stored is ${fresh}, and ${refusal}`,
      remedy:
        'It refused the files that it found then: its log says why ("SSL configuration was not reloaded" and the line before). They are in order now: reload once more.',
      command: reloadCommand(target, facts),
    });
  }
  return wrong(target, code, {
    message: `${state}. Stored is ${fresh}: the rotation works, the server has not read it`,
    remedy: `No restart is needed: ${readsWhen(target)} ${CLOSED_LOOP}`,
    command: reloadCommand(target, facts),
  });
}

function readsWhen({ protocol }: TargetFacts): string {
  return protocol === "postgres"
    ? "PostgreSQL reads its TLS files at its start and at a reload, not for each connection. Reload it."
    : "have it read its files again.";
}

function refusedReload(
  { protocol }: TargetFacts,
  stored: StoreFacts,
  { postgres }: Facts,
  now: Date,
): string | undefined {
  const { loadedAt } = postgres ?? {};
  const written = lastWritten(stored);
  if (protocol !== "postgres" || !loadedAt || loadedAt <= written) return undefined;
  return `the server was reloaded ${relative(loadedAt, now)}, ${rounded(loadedAt.getTime() - written.getTime())} after the files were written`;
}

/** The served chain against the bundle of those who connect; without one, against the bundle stored beside the leaf. */
function trust(target: TargetFacts, served: ServedLeaf, facts: Facts, now: Date): Diagnosis | undefined {
  const { client, stored } = facts;
  const store = client?.trust ? client : stored;
  if (!store?.trust || served.against === "foreign") return undefined;
  const { leaf, chain } = served;
  const result = validatePath(leaf, store.trust, { now, purpose: "serverAuth", intermediates: chain });
  if (result.ok || result.code === "expired") return undefined;
  return result.code === "unknown_authority" || result.code === "chain_incomplete"
    ? lacking(target, result, store, served)
    : wrong(target, "chain_invalid", { message: `its chain is not valid: ${result.message}` });
}

function lacking(
  target: TargetFacts,
  { message }: PathFailure,
  store: StoreFacts,
  served: ServedLeaf,
): Diagnosis {
  const bundle = store.files.find(({ part }) => part === "trust")?.path ?? store.name;
  const issuer = served.leaf.issuer.commonName;
  return wrong(target, "bundle_lacks_authority", {
    message: `${bundle} does not vouch for it${issuer === undefined ? "" : ` (issued by ${issuer})`}: ${message}`,
    remedy:
      "Whoever uses this bundle refuses the server. Deliver a bundle with the old and the new authority, let everyone load it, and only then switch leaves.",
  });
}

function clientRefused(
  target: TargetFacts,
  { refusal }: ServedLeaf,
  { client, stored }: Facts,
): Diagnosis | undefined {
  if (refusal === undefined || !client?.generation) return undefined;
  const { leaf } = client.generation;
  const bundle = stored?.files.find(({ part }) => part === "trust")?.path;
  const vouched =
    stored?.trust &&
    validatePath(leaf, stored.trust, {
      now: client.generation.verifiedAt,
      purpose: "clientAuth",
      intermediates: client.generation.chain,
    });
  const where = bundle ?? "its bundle of client authorities";
  return wrong(target, "client_refused", {
    message: `it refuses the client's certificate (${nameOf(leaf)}, ${serial(leaf)}): ${refusal}`,
    remedy:
      vouched && !vouched.ok
        ? `${where} does not vouch for it: ${vouched.message}. Deliver old and new authority together.`
        : `If ${where} holds its authority, the server has not read it since: reload it.`,
  });
}

function upstream(target: TargetFacts, { refusal }: ServedLeaf, { client }: Facts): Diagnosis | undefined {
  const { http } = target;
  if (!http || refusal !== undefined) return undefined;
  if ("failure" in http) return http.failure === "late" ? late(target) : closed(target, client);
  if (http.status < 500) return undefined;
  return {
    ...wrong(target, "upstream_error", {
      message: `it answers with status ${http.status}`,
      remedy:
        "This is no certificate problem of its own: the handshake was done. Look at the service, and at what is behind it.",
    }),
    certificates: false,
  };
}

function late(target: TargetFacts): Diagnosis {
  return {
    ...wrong(target, "upstream_error", {
      message: "it gives no answer to a request in time",
      remedy:
        "This is no certificate problem so far: the handshake was done. Look at the service, and at what is behind it.",
    }),
    certificates: false,
  };
}

/** Many servers refuse a client in this way, and not with an alert: Node.js does, and what decides after the handshake. */
function closed(target: TargetFacts, client: StoreFacts | undefined): Diagnosis {
  const leaf = client?.generation?.leaf;
  if (!leaf) {
    return {
      ...wrong(target, "upstream_error", {
        message: "it closes the connection of a client without a certificate, and answers nothing",
        remedy: "Name what connects to it (--client-certs) to see whether that is let in.",
      }),
      severity: "note",
    };
  }
  return wrong(target, "upstream_error", {
    message: `it closes the connection of ${nameOf(leaf)} after the handshake, and answers nothing`,
    remedy:
      "It may refuse this client: look for the name in its rules, for the authority in its bundle, and in its log. One that speaks HTTP/2 alone is asked as tls://.",
  });
}

function wrong({ name }: TargetFacts, code: DiagnosisCode, said: Said): Diagnosis {
  return { code, subject: name, severity: "wrong", certificates: true, ...said };
}
