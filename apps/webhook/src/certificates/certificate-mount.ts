import { type Logger, silentLogger } from "@newleaf/daemon";
import type { ResourceClient, Secret } from "@newleaf/kube";
import {
  createIdentityHolder,
  type IdentityHolder,
  type IdentitySource,
  type Refusal,
  watchFiles,
} from "@newleaf/rotation";
import { type MountOptions, type OpenMount, watchSecret } from "@newleaf/webhook";

export interface CertificateMount {
  /** Where the serving Secret is mounted. */
  readonly directory: string | undefined;
  /** The Secret itself, in its namespace, where the API server may be asked for it. */
  readonly secret: { readonly secrets: ResourceClient<Secret>; readonly name: string } | undefined;
}

/** The files, the Secret, or whichever of the two is first to hold what is announced. */
export function certificateMount({ directory, secret }: CertificateMount): OpenMount {
  const openers: OpenRefusable[] = [
    ...(directory === undefined
      ? []
      : [(options: RefusableOptions) => watchFiles({ directory, ...options })]),
    ...(secret === undefined ? [] : [(options: RefusableOptions) => watchSecret({ ...secret, ...options })]),
  ];
  const [only, ...others] = openers;
  return only !== undefined && others.length === 0 ? only : (options) => openFirst(openers, options);
}

type RefusableOptions = MountOptions & { readonly onRefusal?: (refusal: Refusal) => void };
type OpenRefusable = (options: RefusableOptions) => Promise<IdentitySource>;

/** Each takes what is announced only, so that all come to the same; the first to have it is enough. */
async function openFirst(openers: readonly OpenRefusable[], options: MountOptions): Promise<IdentitySource> {
  const { signal, firstTimeoutMs, allowIdentityChange, clock, logger } = options;
  const closing = new AbortController();
  // The sources log what they take themselves.
  const holder = createIdentityHolder({ allowIdentityChange, clock, logger: silentLogger });
  const sources = new Set<IdentitySource>();
  const onRefusal = ({ code, message }: Refusal): void => {
    // While there is one certificate that counts, a second place that is behind is no news.
    if (!holder.current()) holder.refuse(code, message);
  };
  const own = { ...options, signal: closing.signal, firstTimeoutMs: Number.POSITIVE_INFINITY, onRefusal };
  const following = openers.map((open) =>
    follow(() => open(own), { holder, sources, signal: closing.signal, logger }),
  );
  const close = async (): Promise<void> => {
    closing.abort();
    holder.close();
    await Promise.all(following);
  };
  try {
    await holder.first({ signal, timeoutMs: firstTimeoutMs });
  } catch (error) {
    await close();
    throw error;
  }
  const merged = holder.asSource({
    async reload() {
      const results = await Promise.allSettled([...sources].map((source) => source.reload()));
      const failed = results.find((result) => result.status === "rejected");
      if (failed && results.every(({ status }) => status === "rejected")) throw failed.reason;
    },
    close,
  });
  return {
    ...merged,
    status: () => ({ ...merged.status(), stale: [...sources].every((source) => source.status().stale) }),
  };
}

async function follow(
  open: () => Promise<IdentitySource>,
  to: {
    readonly holder: IdentityHolder;
    readonly sources: Set<IdentitySource>;
    readonly signal: AbortSignal;
    readonly logger: Logger;
  },
): Promise<void> {
  const { holder, sources, signal, logger } = to;
  try {
    await using source = await open();
    sources.add(source);
    for await (const { leaf, chain, key, trust, deliveredAt } of source.watch(signal)) {
      const newest = holder.current()?.deliveredAt ?? deliveredAt;
      if (deliveredAt >= newest) holder.offer({ certificates: [leaf, ...chain], key, trust }, deliveredAt);
    }
    sources.delete(source);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (!signal.aborted)
      logger.error({ error: reason }, "one of two places of the certificate is not followed");
  }
}
