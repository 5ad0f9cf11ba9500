import { invalid } from "../config-error.ts";
import { HelperError } from "../error.ts";
import { decodeChoice, decodeString, type Given } from "./decode.ts";
import type { ConfigReader } from "./reader.ts";

/** What is written, where, and how. */
export interface FilesConfig {
  readonly directory: string;
  readonly publish: "directory" | "files";
  /** All three or none. */
  readonly svid: { readonly certificates: string; readonly key: string; readonly bundle: string } | undefined;
  /** Key and certificates together. */
  readonly credential: string | undefined;
  /** Holds `{trust_domain}`. */
  readonly trustDomainBundle: string | undefined;
  readonly jwtBundle: string | undefined;
  readonly modes: {
    readonly cert: number;
    readonly key: number;
    readonly jwtBundle: number;
    readonly jwtSvid: number;
  };
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly addIntermediatesToBundle: boolean;
  readonly includeFederatedDomains: boolean;
  readonly omitExpired: boolean;
}

export function resolveFiles(read: ConfigReader): FilesConfig {
  const delivery = read.optional("layout", (given) => decodeChoice(given, ["filesystem-delivery"] as const));
  const names = (["svid_file_name", "svid_key_file_name", "svid_bundle_file_name"] as const).map((key) =>
    read.text(key),
  );
  const [certificates, key, bundle] = names;
  const all = certificates !== undefined && key !== undefined && bundle !== undefined;
  if (!all && names.some((name) => name !== undefined)) {
    throw new HelperError(
      "ERR_HELPER_CONFIG",
      "all or none of svid_file_name, svid_key_file_name and svid_bundle_file_name must be given",
    );
  }
  return {
    directory: read.text("cert_dir") ?? ".",
    publish:
      read.optional("publish", (given) => decodeChoice(given, ["directory", "files"] as const)) ??
      "directory",
    svid: all ? { certificates, key, bundle } : undefined,
    credential: read.text("credential_file_name") ?? (delivery && "credential-bundle.private-key.pem"),
    trustDomainBundle:
      read.optional("trust_domain_bundle_file_name", decodePattern) ??
      (delivery && "{trust_domain}.spiffe-trust-bundle.pem"),
    jwtBundle: read.text("jwt_bundle_file_name"),
    modes: {
      cert: read.mode("cert_file_mode", 0o644),
      key: read.mode("key_file_mode", 0o600),
      jwtBundle: read.mode("jwt_bundle_file_mode", 0o600),
      jwtSvid: read.mode("jwt_svid_file_mode", 0o600),
    },
    owner: read.optional("file_owner", decodeOwner),
    addIntermediatesToBundle: read.boolean("add_intermediates_to_bundle", false),
    includeFederatedDomains: read.boolean("include_federated_domains", false),
    omitExpired: read.boolean("omit_expired", false),
  };
}

function decodePattern(given: Given): string {
  const pattern = decodeString(given);
  if (pattern.split("{trust_domain}").length === 2) return pattern;
  throw invalid(given.where, `${given.key} must hold {trust_domain} once`, 'such as "{trust_domain}.pem"');
}

function decodeOwner(given: Given): { uid: number; gid: number } {
  const [, uid, gid] = /^(\d{1,10}):(\d{1,10})$/.exec(decodeString(given)) ?? [];
  if (uid === undefined)
    throw invalid(given.where, "file_owner is not uid:gid in numbers", 'such as "999:999"');
  return { uid: Number(uid), gid: Number(gid) };
}

/** Whether anything of an X509-SVID is to be written. */
export function hasX509({ svid, credential, trustDomainBundle }: FilesConfig): boolean {
  return svid !== undefined || credential !== undefined || trustDomainBundle !== undefined;
}
