import { Buffer } from "node:buffer";
import {
  type Clock,
  type Logger,
  type ResourceClient,
  type Secret,
  silentLogger,
  startInformer,
  systemClock,
  valueOrThrow,
} from "@newleaf/kube";
import {
  type Announcements,
  createIdentityHolder,
  type IdentityHolder,
  type IdentitySource,
  type Refusal,
} from "@newleaf/rotation";

export interface WatchSecretOptions {
  /** In the namespace of the Secret. */
  readonly secrets: ResourceClient<Secret>;
  readonly name: string;
  /** Its entries; those of kubernetes.io/tls by default, and `ca.crt`. */
  readonly files?: {
    readonly certificate?: string;
    readonly key?: string;
    readonly trust?: string;
  };
  /** Accept an update with other names than before. Default false. */
  readonly allowIdentityChange?: boolean;
  /** How long to wait for the first good identity. Default 60 s. */
  readonly firstTimeoutMs?: number;
  /** Ends the wait for the first good identity; afterwards only disposal ends the source. */
  readonly signal?: AbortSignal;
  readonly onRefusal?: (refusal: Refusal) => void;
  /** Who else must agree before an update is taken. */
  readonly announcements?: Announcements;
  readonly clock?: Clock;
  readonly logger?: Logger;
  /** From 0 to below 1. */
  readonly random?: () => number;
}

/**
 * Follows an identity in a Secret, by a watch of this one Secret. Resolves with the first good identity, and rejects
 * with ERR_ROTATION_NO_IDENTITY, which names what was wrong last. A Secret that is deleted is no reason to stop serving.
 */
export async function watchSecret(options: WatchSecretOptions): Promise<IdentitySource> {
  const { secrets, name, clock = systemClock, logger = silentLogger, random = Math.random } = options;
  const { certificate = "tls.crt", key = "tls.key", trust = "ca.crt" } = options.files ?? {};
  const holder = createIdentityHolder({ ...options, names: { certificate, key, trust } });
  const take = (secret: Secret): void => {
    const octets = (file: string): Buffer => Buffer.from(secret.data?.[file] ?? "", "base64");
    holder.offer({ certificates: octets(certificate), key: octets(key), trust: octets(trust) });
  };
  const informer = startInformer<Secret>({
    resource: secrets,
    fieldSelector: `metadata.name=${name}`,
    clock,
    random,
    logger,
  });
  informer.addHandler({
    add: take,
    update: (_old, secret) => take(secret),
    delete: () => refuse(holder, name),
  });
  const whenNone = (): void => {
    if (informer.list().length === 0) refuse(holder, name);
  };
  void informer.whenSynced().then(whenNone, () => {});
  const close = async (): Promise<void> => {
    holder.close();
    await informer[Symbol.asyncDispose]();
  };
  const reload = async (): Promise<void> => {
    const answer = await secrets.get(name);
    if (!answer.ok && answer.status.code === 404) refuse(holder, name);
    else take(valueOrThrow(answer, `read Secret ${name}`));
  };
  try {
    await holder.first({ signal: options.signal, timeoutMs: options.firstTimeoutMs ?? 60_000 });
  } catch (error) {
    await close();
    throw error;
  }
  return holder.asSource({ reload, close });
}

function refuse(holder: IdentityHolder, name: string): void {
  holder.refuse("missing", `Secret ${name} is missing`);
}
