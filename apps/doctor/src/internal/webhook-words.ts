import type { Permission } from "@newleaf/webhook";
import type { Diagnosis } from "../diagnosis.ts";
import type { ReplicaFacts, WebhookFacts, Writer } from "../webhook-facts.ts";
import { shellWord } from "./remedies.ts";
import { moment, relative } from "./words.ts";

type Said = Pick<Diagnosis, "message" | "remedy" | "command">;
type About = Pick<WebhookFacts, "namespace" | "name">;

export function subjectOf({ namespace, name }: About): string {
  return `webhook ${namespace}/${name}`;
}

export function wrong(facts: About, code: Diagnosis["code"], said: Said): Diagnosis {
  return { code, subject: subjectOf(facts), severity: "wrong", certificates: true, ...said };
}

export function notice(facts: About, code: Diagnosis["code"], said: Said): Diagnosis {
  return { ...wrong(facts, code, said), severity: "note" };
}

/** The first few by name. */
export function listOf(names: readonly string[], most = 5): string {
  const more = names.length - most;
  return more > 0 ? `${names.slice(0, most).join(", ")} and ${more} more` : names.join(", ");
}

/** The first digits of a hash, as in the annotations. */
export function short(hash: string | undefined): string {
  return hash === undefined ? "nothing" : hash.slice(0, 12);
}

export function describeWriters(writers: readonly Writer[], now: Date): string {
  return listOf(writers.map(({ manager, at }) => (at ? `${manager} (${relative(at, now)})` : manager)));
}

/** Until when what replicas serve that are not behind stays good. */
export function goodUntil({ secret }: WebhookFacts, now: Date): string {
  const leaf = typeof secret === "string" ? undefined : secret.leaf;
  return leaf
    ? `The certificate that is stored is good until ${moment(leaf.notAfter, now)}`
    : "Until when what is served stays good is not known here";
}

/** The same of one replica. The API does not say when an older certificate ends: about a third of a life after it was renewed. */
export function servedUntil(
  { certHash }: Pick<ReplicaFacts, "certHash">,
  facts: WebhookFacts,
  now: Date,
): string {
  if (certHash === undefined) return "It serves nothing yet";
  const { secret } = facts;
  const leaf = typeof secret === "string" ? undefined : secret.leaf;
  if (!leaf || typeof secret === "string") return goodUntil(facts, now);
  if (certHash === secret.certHash) return goodUntil(facts, now);
  const third = (leaf.notAfter.getTime() - leaf.notBefore.getTime()) / 3;
  const end = new Date(leaf.notBefore.getTime() + third);
  return `It serves an older one, which ends about ${moment(end, now)} if it was renewed in time`;
}

export function podLogs({ namespace, selector }: WebhookFacts, what: string): string {
  return `kubectl logs -n ${namespace} -l ${shellWord(selector)} --prefix --tail=-1 | grep -iE ${shellWord(what)}`;
}

export function canI({ verbs, group, resource, namespace, name }: Permission, user: string): string {
  const kind = group === "" ? resource : `${resource}.${group}`;
  const what = name === undefined ? kind : `${kind}/${name}`;
  const where = namespace === undefined ? "" : ` -n ${namespace}`;
  return `kubectl auth can-i ${verbs[0] ?? "get"} ${what} --as=${user}${where}`;
}
