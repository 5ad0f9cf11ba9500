import { createIdentityHolder, type IdentityMaterial, type IdentitySource } from "@newleaf/rotation";
import { type Authority, createRoot, generateKey, issueCertificate, issueCrl } from "@newleaf/x509";

/** A clock that stands where it is put. */
export interface SettableClock {
  now(): number;
  setTimeout(callback: () => void, ms: number): { cancel(): void };
  at: number;
}

export function createSettableClock(at: number): SettableClock {
  const clock = { at, now: () => clock.at, setTimeout: () => ({ cancel() {} }) };
  return clock;
}

export interface RotatingIdentity extends AsyncDisposable {
  readonly source: IdentitySource;
  /** Delivers a certificate that is good for an hour. */
  rotate(): void;
  /** Delivers one that the gate refuses. */
  breakUpdate(): void;
}

const hour = 3_600_000;

/** A source whose updates a test delivers itself. */
export function createRotatingIdentity(
  clock: SettableClock,
  options: { crlMs?: number } = {},
): RotatingIdentity {
  const root = createRoot({
    subject: "CN=root",
    notBefore: new Date(clock.at - 60_000),
    notAfter: new Date(clock.at + 1_000 * hour),
  });
  const holder = createIdentityHolder({ clock });
  const rotate = () => void holder.offer(material(root, clock, options.crlMs));
  rotate();
  const source = holder.asSource({ reload: async () => {}, close: async () => {} });
  return {
    source,
    rotate,
    breakUpdate() {
      const key = generateKey().privateKey;
      holder.offer({ ...material(root, clock, options.crlMs), key });
    },
    [Symbol.asyncDispose]: () => source[Symbol.asyncDispose](),
  };
}

function material(root: Authority, clock: SettableClock, crlMs: number | undefined): IdentityMaterial {
  const { privateKey, publicKey } = generateKey();
  const leaf = issueCertificate(root, publicKey, {
    subject: "CN=backend",
    dnsNames: ["backend.shop.svc"],
    notBefore: new Date(clock.at - 60_000),
    notAfter: new Date(clock.at + hour),
  });
  const now = new Date(clock.at);
  const crls =
    crlMs === undefined
      ? undefined
      : [issueCrl(root, { revoked: [], thisUpdate: now, nextUpdate: new Date(clock.at + crlMs), number: 1 })];
  const certificates = [leaf];
  return {
    certificates,
    key: privateKey,
    trust: [root.certificate],
    ...(crls === undefined ? {} : { crls }),
  };
}
