import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:tls";

/** SHA-256 of the leaf that a server shows, as hex; undefined where none answers. */
export async function servedLeaf(address: {
  readonly host: string;
  readonly port: number;
}): Promise<string | undefined> {
  // It is looked at, not trusted.
  const socket = connect({ ...address, rejectUnauthorized: false, timeout: 2_000 });
  socket.once("timeout", () => socket.destroy(new Error("no answer")));
  try {
    await once(socket, "secureConnect");
    return createHash("sha256").update(socket.getPeerCertificate().raw).digest("hex");
  } catch {
    return undefined;
  } finally {
    socket.destroy();
  }
}

/** SHA-256 of the first certificate of a `tls.crt`, as hex. */
export function leafOf(pem: string): string {
  const body = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(pem)?.[1] ?? "";
  return createHash("sha256").update(Buffer.from(body, "base64")).digest("hex");
}
