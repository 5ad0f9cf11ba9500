/** What an API user sends, and what must come of it. */
export interface Manifest {
  readonly name: string;
  readonly expected: "allowed" | "warned" | "denied";
  /** Of the rule that warns or denies. */
  readonly rule: string | undefined;
  /** A Deployment. */
  readonly object: object;
}

/** Of each kind of manifest that is stored. */
const SLOTS = 10;

/** The `n`th of an endless sequence: fine, warned about and denied in turn, denied ones new and as updates. */
export function manifestAt(n: number): Manifest {
  const round = Math.floor(n / 3);
  const [fine, token] = [`web-${round % SLOTS}`, `token-${round % SLOTS}`];
  const image = `registry.example/web:${n}`;
  switch (n % 3) {
    case 0:
      return { name: fine, expected: "allowed", rule: undefined, object: deployment(fine, { image }) };
    case 1: {
      const object = deployment(token, { image, tokenSeconds: 172_800 });
      return { name: token, expected: "warned", rule: "token-lifetime", object };
    }
    default:
      return deniedAt(round, image);
  }
}

function deniedAt(round: number, image: string): Manifest {
  if (round % 2 === 0) {
    const name = `stale-${round % SLOTS}`;
    return {
      name,
      expected: "denied",
      rule: "subpath",
      object: deployment(name, { image, subPath: "tls.crt" }),
    };
  }
  // One that is stored and fine, and would not be any more.
  const name = `web-${(round - 1) % SLOTS}`;
  return { name, expected: "denied", rule: "tls-env", object: deployment(name, { image, keyInEnv: true }) };
}

function deployment(
  name: string,
  of: {
    readonly image: string;
    readonly subPath?: string;
    readonly tokenSeconds?: number;
    readonly keyInEnv?: boolean;
  },
): object {
  const { image, subPath, tokenSeconds, keyInEnv } = of;
  const mount = { name: "tls", mountPath: "/etc/tls", ...(subPath !== undefined && { subPath }) };
  const key = { name: "TLS_KEY", valueFrom: { secretKeyRef: { name: "web-tls", key: "tls.key" } } };
  const token = {
    name: "token",
    projected: { sources: [{ serviceAccountToken: { path: "token", expirationSeconds: tokenSeconds } }] },
  };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          securityContext: { fsGroup: 1000 },
          containers: [{ name: "web", image, volumeMounts: [mount], ...(keyInEnv && { env: [key] }) }],
          volumes: [
            { name: "tls", secret: { secretName: "web-tls" } },
            ...(tokenSeconds === undefined ? [] : [token]),
          ],
        },
      },
    },
  };
}
