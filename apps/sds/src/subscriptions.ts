import type { PublishedSecret } from "./secret-store.ts";

/** One secret as a stream has it. */
export interface Subscription {
  readonly name: string;
  /** The version last sent, or that the client said it has. */
  readonly sent: string | undefined;
  /** The version the client last took over. */
  readonly acknowledged: string | undefined;
  /** The version the client will not have, and why in its own words; until it takes another. */
  readonly refused: { readonly version: string; readonly message: string } | undefined;
}

/** What a client said of one secret that it was sent. */
export type Verdict =
  | { readonly ok: true; readonly name: string; readonly version: string }
  | { readonly ok: false; readonly name: string; readonly version: string; readonly message: string };

export type SecretLookup = (name: string) => PublishedSecret | undefined;

interface Entry {
  /** To be answered even if nothing has changed. */
  due: boolean;
  sent: string | undefined;
  acknowledged: string | undefined;
  refused: { readonly version: string; readonly message: string } | undefined;
}

/** Clients take 4 MiB unless told otherwise; what does not fit goes into the next response. */
const LARGEST_RESPONSE = 2 * 1024 * 1024;
/** Responses that wait for their answer; of older ones the answer is not understood any more. */
const UNANSWERED_KEPT = 64;
const LONGEST_REFUSAL = 1_000;

/** What one stream has asked for, was sent and has answered: the part that both protocols share. */
export class Subscriptions {
  readonly #entries = new Map<string, Entry>();
  readonly #unanswered = new Map<string, readonly PublishedSecret[]>();
  #nonce = 0;

  get size(): number {
    return this.#entries.size;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** As the client says: with `version` when it has one already and needs to be told only of others. */
  subscribe(name: string, version?: string): void {
    const entry = this.#entries.get(name);
    if (entry) entry.due = true;
    else
      this.#entries.set(name, {
        due: version === undefined,
        sent: version,
        acknowledged: version,
        refused: undefined,
      });
  }

  unsubscribe(name: string): void {
    this.#entries.delete(name);
  }

  /** Leaves exactly these. */
  retain(names: ReadonlySet<string>): void {
    for (const name of this.#entries.keys()) if (!names.has(name)) this.#entries.delete(name);
  }

  /** What has to be sent now, as much as fits into one response. */
  collect(lookup: SecretLookup): readonly PublishedSecret[] {
    const secrets: PublishedSecret[] = [];
    let octets = 0;
    for (const [name, entry] of this.#entries) {
      const secret = lookup(name);
      if (!secret || !(entry.due || entry.sent !== secret.version)) continue;
      octets += secret.resource.value.length;
      if (secrets.length > 0 && octets > LARGEST_RESPONSE) break;
      secrets.push(secret);
    }
    return secrets;
  }

  /** Notes a response that is on its way and returns its nonce. */
  send(secrets: readonly PublishedSecret[]): string {
    for (const { name, version } of secrets) {
      const entry = this.#entries.get(name);
      if (!entry) continue;
      entry.due = false;
      entry.sent = version;
    }
    this.#nonce += 1;
    const nonce = String(this.#nonce);
    this.#unanswered.set(nonce, secrets);
    for (const oldest of this.#unanswered.keys()) {
      if (this.#unanswered.size <= UNANSWERED_KEPT) break;
      this.#unanswered.delete(oldest);
    }
    return nonce;
  }

  /** The nonce of the newest response; "" before the first. */
  get newest(): string {
    return this.#nonce === 0 ? "" : String(this.#nonce);
  }

  /** Takes an answer. None for a nonce that is not, or no longer, waited for. */
  answer(nonce: string, error: string | undefined): readonly Verdict[] {
    const secrets = this.#unanswered.get(nonce) ?? [];
    this.#unanswered.delete(nonce);
    const refusal = error === undefined ? undefined : error.slice(0, LONGEST_REFUSAL) || "no reason given";
    return secrets.map(({ name, version }): Verdict => {
      const entry = this.#entries.get(name);
      if (entry && refusal === undefined) {
        entry.acknowledged = version;
        entry.refused = undefined;
      } else if (entry && refusal !== undefined) entry.refused = { version, message: refusal };
      return refusal === undefined
        ? { ok: true, name, version }
        : { ok: false, name, version, message: refusal };
    });
  }

  get(name: string): Subscription | undefined {
    const entry = this.#entries.get(name);
    return entry && { name, sent: entry.sent, acknowledged: entry.acknowledged, refused: entry.refused };
  }

  *[Symbol.iterator](): Generator<Subscription> {
    for (const [name, { sent, acknowledged, refused }] of this.#entries) {
      yield { name, sent, acknowledged, refused };
    }
  }
}
