import { constants } from "node:fs";
import { open, readlink } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { createIdentityHolder, type Generation } from "@newleaf/rotation";
import { type Certificate, createTrustBundle, parseCertificates, type TrustBundle } from "@newleaf/x509";
import type { Part, StoredFile, StoreFacts } from "../facts.ts";

export interface StoreLocation {
  readonly name: string;
  readonly certificate: string;
  readonly key: string;
  /** Absent: the server uses none. */
  readonly trust?: string;
}

/** The names that Kubernetes and cert-manager use, and those of spiffe-helper's documentation. */
const NAMES = [
  ["tls.crt", "tls.key", "ca.crt"],
  ["svid.pem", "svid_key.pem", "svid_bundle.pem"],
  ["server.crt", "server.key", "root.crt"],
] as const;

/** Which of the usual names a directory has; those of Kubernetes when it has none yet. */
export async function locateStore(directory: string): Promise<StoreLocation> {
  for (const [certificate, key, trust] of NAMES) {
    const present = await Promise.all([certificate, key].map((name) => readPart(join(directory, name))));
    if (present.some(({ found }) => found)) return located(directory, certificate, key, trust);
  }
  return located(directory, ...NAMES[0]);
}

function located(directory: string, certificate: string, key: string, trust: string): StoreLocation {
  const at = (name: string): string => resolve(directory, name);
  return { name: directory, certificate: at(certificate), key: at(key), trust: at(trust) };
}

const LARGEST_FILE = 1024 * 1024;

/** Reads the files once, of one moment, and notes what is wrong with them by themselves. */
export async function lookAtStore(location: StoreLocation): Promise<StoreFacts> {
  const parts: readonly Part[] = ["certificate", "key", "trust"];
  const read = await Promise.all(
    parts.flatMap((part) => {
      const path = location[part];
      return path === undefined ? [] : [readPart(path).then((found) => ({ part, path, ...found }))];
    }),
  );
  const files = read.map(({ content: _, ...file }): StoredFile => file);
  const contentOf = (part: Part): Buffer | undefined => read.find((file) => file.part === part)?.content;
  const [certificates, key] = [contentOf("certificate"), contentOf("key")];
  const leaf = certificates && parsed(certificates)?.[0];
  const trust = bundle(contentOf("trust"));
  const seen = { name: location.name, files, ...(leaf ? { leaf } : {}), ...(trust ? { trust } : {}) };
  if (!certificates || !key || read.some(({ content }) => !content)) return seen;
  const holder = createIdentityHolder({
    names: {
      certificate: location.certificate,
      key: location.key,
      ...(location.trust ? { trust: location.trust } : {}),
    },
  });
  try {
    const withBundle = contentOf("trust");
    // Without a bundle of its own only the pair is judged: by its issuers, who are taken at their word.
    const anchors = withBundle ?? parsed(certificates)?.slice(-1) ?? [];
    const result = holder.offer({ certificates, key, trust: anchors });
    if (result.outcome !== "refused")
      return { ...seen, ...presentable(result.generation, withBundle !== undefined) };
    const { code, message } = result.refusal;
    if (!withBundle && code === "unverified_chain") return seen;
    return { ...seen, refusal: { code, message } };
  } finally {
    holder.close();
  }
}

function presentable(generation: Generation, hasBundle: boolean): Partial<StoreFacts> {
  return hasBundle ? { leaf: generation.leaf, generation } : { leaf: generation.leaf };
}

interface ReadPart {
  readonly found?: NonNullable<StoredFile["found"]>;
  readonly unreadable?: string;
  readonly content?: Buffer;
}

async function readPart(path: string): Promise<ReadPart> {
  const actual = await throughDataLink(path);
  // O_NONBLOCK: opening a FIFO without a writer would wait for one.
  const file = await open(actual, constants.O_RDONLY | constants.O_NONBLOCK).catch((error: unknown) => error);
  if (file instanceof Error) {
    const code = "code" in file ? String(file.code) : "unknown";
    return code === "ENOENT" || code === "ENOTDIR" ? {} : { unreadable: code, found: NOTHING_KNOWN };
  }
  const handle = file as Awaited<ReturnType<typeof open>>;
  try {
    const { mtime, mode, uid, size } = await handle.stat().then((stat) => {
      if (!stat.isFile()) throw Object.assign(new Error("not a file"), { code: "not a regular file" });
      return stat;
    });
    const found = { modifiedAt: mtime, mode, uid };
    if (size > LARGEST_FILE) return { found, unreadable: "larger than 1 MiB" };
    const content = Buffer.alloc(size);
    const { bytesRead } = await handle.read(content, 0, size, 0);
    return { found, content: content.subarray(0, bytesRead) };
  } catch (error) {
    return { found: NOTHING_KNOWN, unreadable: (error as NodeJS.ErrnoException).code ?? "unknown" };
  } finally {
    await handle.close();
  }
}

const NOTHING_KNOWN = Object.freeze({ modifiedAt: new Date(0), mode: 0, uid: 0 });

/** In a volume that is swapped as a whole, all parts come from the same side of a swap. */
async function throughDataLink(path: string): Promise<string> {
  const directory = dirname(path);
  const data = await readlink(join(directory, "..data")).catch(() => undefined);
  return data === undefined ? path : join(resolve(directory, data), basename(path));
}

function parsed(pem: Buffer): readonly Certificate[] | undefined {
  try {
    return parseCertificates(pem);
  } catch {
    return undefined;
  }
}

function bundle(pem: Buffer | undefined): TrustBundle | undefined {
  const certificates = pem && parsed(pem);
  return certificates && certificates.length > 0 ? createTrustBundle(certificates) : undefined;
}
