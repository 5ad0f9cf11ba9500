import { csiVolumeOf } from "./csi-attributes.ts";
import { type Fields, fieldsOf, integerOf, isFields, listOf, textOf } from "./fields.ts";
import type { MountView, PodView, VolumeView } from "./pod-view.ts";
import type { KnownKeys, PolicyContext } from "./policy-context.ts";
import { type FileRole, roleOfFileName, speaksOfCa, speaksOfTls } from "./tls-file-name.ts";

/** What a volume holds for TLS, as far as its manifest, its mounts and the context say. */
export interface VolumeContents {
  readonly volume: VolumeView;
  /** `Secret web-tls`, `ConfigMap ca`, `csi.cert-manager.io`. */
  readonly sources: readonly string[];
  /** Files that are surely there; others may be. */
  readonly files: readonly VolumeFile[];
  /** Secrets whose keys nothing names, but which are called, or mounted, as ones for TLS are. */
  readonly likely: readonly LikelySecret[];
  /** ConfigMaps whose keys nothing names, but which are called, or mounted, as bundles of CAs are. */
  readonly likelyBundles: readonly string[];
  /** Written by the kubelet from Secrets and ConfigMaps, or by a driver of cert-manager. */
  readonly writer: "kubelet" | "csi";
}

export interface VolumeFile {
  /** In the volume. */
  readonly path: string;
  readonly role: FileRole;
  /** Permission bits. */
  readonly mode: number;
  readonly source: string;
}

interface LikelySecret {
  readonly source: string;
  readonly mode: number;
}

/** A volume's contents, or undefined for one that neither the kubelet nor a driver of cert-manager fills. */
export function contentsOf(
  volume: VolumeView,
  pod: PodView,
  context: PolicyContext,
): VolumeContents | undefined {
  const csi = csiVolumeOf(volume);
  if (csi !== undefined) {
    const named = (attribute: string, fallback: string) => csi.attribute(attribute) ?? fallback;
    const file = (path: string, role: FileRole) => ({ path, role, mode: 0o440, source: csi.driver });
    const files = [
      file(named("certificate-file", "tls.crt"), "certificate"),
      file(named("privatekey-file", "tls.key"), "key"),
      file(named("ca-file", "ca.crt"), "ca"),
    ];
    return { volume, sources: [csi.driver], files, likely: [], likelyBundles: [], writer: "csi" };
  }
  const mounts = pod.containers.flatMap((container) =>
    container.mounts.filter((mount) => mount.volume === volume.name),
  );
  const sources = sourcesOf(volume.fields);
  if (sources.length === 0) return undefined;
  const read = sources.map((source) => readSource(source, { mounts, namespace: pod.namespace, context }));
  return {
    volume,
    sources: sources.map(describe),
    files: read.flatMap(({ files }) => files),
    likely: read.flatMap(({ likely = [] }) => likely),
    likelyBundles: read.flatMap(({ likelyBundles = [] }) => likelyBundles),
    writer: "kubelet",
  };
}

interface Source {
  readonly kind: "Secret" | "ConfigMap" | "ClusterTrustBundle" | "PodCertificate";
  readonly name: string;
  readonly fields: Fields;
  readonly defaultMode: number;
}

const worldReadable = 0o644;

function sourcesOf({ secret, configMap, projected }: Fields): readonly Source[] {
  const modeOf = (fields: Fields) => integerOf(fields.defaultMode) ?? worldReadable;
  const plain = (kind: Source["kind"], value: unknown, name: string): readonly Source[] => {
    const fields = fieldsOf(value);
    return isFields(value)
      ? [{ kind, name: textOf(fields[name]) ?? "?", fields, defaultMode: modeOf(fields) }]
      : [];
  };
  const defaultMode = modeOf(fieldsOf(projected));
  return [
    ...plain("Secret", secret, "secretName"),
    ...plain("ConfigMap", configMap, "name"),
    ...listOf(fieldsOf(projected).sources).flatMap((entry) => {
      const source = fieldsOf(entry);
      return [
        ...plain("Secret", source.secret, "name"),
        ...plain("ConfigMap", source.configMap, "name"),
        ...plain("ClusterTrustBundle", source.clusterTrustBundle, "name"),
        ...plain("PodCertificate", source.podCertificate, "signerName"),
      ].map((found) => ({ ...found, defaultMode }));
    }),
  ];
}

function describe({ kind, name }: Source): string {
  return kind === "Secret" || kind === "ConfigMap" ? `${kind} ${name}` : kind;
}

interface Surroundings {
  readonly mounts: readonly MountView[];
  readonly namespace: string | undefined;
  readonly context: PolicyContext;
}

type SourceContents = Pick<VolumeContents, "files"> &
  Partial<Pick<VolumeContents, "likely" | "likelyBundles">>;

function readSource(source: Source, around: Surroundings): SourceContents {
  const described = describe(source);
  const file = (path: string, role: FileRole, mode: number = source.defaultMode): VolumeFile => ({
    path,
    role,
    mode,
    source: described,
  });
  const at = (field: string, role: FileRole) => {
    const path = textOf(source.fields[field]);
    return path === undefined ? [] : [file(path, role)];
  };
  switch (source.kind) {
    case "ClusterTrustBundle":
      return { files: at("path", "ca") };
    case "PodCertificate":
      return {
        files: [
          ...at("credentialBundlePath", "key"),
          ...at("certificateChainPath", "certificate"),
          ...at("keyPath", "key"),
        ],
      };
    case "ConfigMap": {
      // A certificate in a ConfigMap is there to be trusted, whatever it is called.
      const known = around.context.caConfigMap(around.namespace, source.name);
      const named = namedFiles(source, around, known);
      const files = named.flatMap(({ path, role, mode }) =>
        role === "ca" || role === "certificate" ? [file(path, "ca", mode)] : [],
      );
      const isLikely = isOpen(source, known) && places(source, around).some(speaksOfCa);
      return { files, likelyBundles: isLikely ? [described] : [] };
    }
    case "Secret": {
      const known = around.context.tlsSecret(around.namespace, source.name);
      const files = namedFiles(source, around, known).map(({ path, role, mode }) => file(path, role, mode));
      const isLikely = isOpen(source, known) && places(source, around).some(speaksOfTls);
      return { files, likely: isLikely ? [{ source: described, mode: source.defaultMode }] : [] };
    }
  }
}

/** Whether nothing says which files there are. */
function isOpen(source: Source, known: KnownKeys | undefined): boolean {
  return known === undefined && listOf(source.fields.items).length === 0;
}

/** Files with a role: those of `items`, else of the keys that are known and those that a mount's subPath names. */
function namedFiles(
  source: Source,
  around: Surroundings,
  known: KnownKeys | undefined,
): readonly Omit<VolumeFile, "source">[] {
  const place = places(source, around).find(speaksOfTls) ?? "";
  const items = listOf(source.fields.items).map(fieldsOf);
  const candidates =
    items.length > 0
      ? items.map((item) => ({
          key: textOf(item.key) ?? "",
          path: textOf(item.path) ?? "",
          mode: integerOf(item.mode),
        }))
      : [...new Set([...(known ?? []), ...subPathsOf(around.mounts)])].map((key) => ({
          key,
          path: key,
          mode: undefined,
        }));
  return candidates.flatMap(({ key, path, mode }) => {
    const role = roleOfFileName(key, place) ?? roleOfFileName(path, place);
    return role === undefined ? [] : [{ path, role, mode: mode ?? source.defaultMode }];
  });
}

function places(source: Source, { mounts }: Surroundings): readonly string[] {
  return [source.name, ...mounts.map(({ mountPath }) => mountPath)];
}

function subPathsOf(mounts: readonly MountView[]): readonly string[] {
  return mounts.flatMap(({ subPath, subPathField }) =>
    subPath === undefined || subPathField === "subPathExpr" ? [] : [subPath],
  );
}
