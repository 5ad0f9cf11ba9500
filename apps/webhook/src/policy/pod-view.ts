import type { FieldPath } from "./field-path.ts";
import { type Fields, fieldsOf, integerOf, listOf, textOf } from "./fields.ts";
import type { PodSource } from "./manifest-objects.ts";

/** A Pod, or the template of one, as the rules look at it. */
export interface PodView {
  readonly namespace: string | undefined;
  readonly path: FieldPath;
  readonly fsGroup: number | undefined;
  readonly supplementalGroups: readonly number[];
  readonly isWindows: boolean;
  readonly volumes: readonly VolumeView[];
  readonly containers: readonly ContainerView[];
}

export interface VolumeView {
  readonly name: string;
  readonly path: FieldPath;
  readonly fields: Fields;
}

/** A container of any sort: plain, init, sidecar or ephemeral. */
export interface ContainerView {
  readonly name: string;
  readonly path: FieldPath;
  readonly fields: Fields;
  readonly mounts: readonly MountView[];
  /** Ends before a certificate is renewed: an init container that is no sidecar, or a Pod that is not restarted. */
  readonly runsOnce: boolean;
  readonly user: UserView;
}

export interface MountView {
  readonly volume: string;
  readonly path: FieldPath;
  readonly mountPath: string;
  /** Without leading and trailing slashes; undefined when the whole volume is mounted. */
  readonly subPath: string | undefined;
  readonly subPathField: "subPath" | "subPathExpr";
}

/** Who a container runs as: its own security context over the Pod's. */
export interface UserView {
  readonly uid: number | undefined;
  readonly gid: number | undefined;
  /** Surely not root: a uid, or `runAsNonRoot`. False also where only the image knows. */
  readonly isNonRoot: boolean;
}

export function viewPod({ spec, specPath }: PodSource, namespace: string | undefined): PodView {
  const security = fieldsOf(spec.securityContext);
  return {
    namespace,
    path: specPath,
    fsGroup: integerOf(security.fsGroup),
    supplementalGroups: listOf(security.supplementalGroups).filter((group) => typeof group === "number"),
    isWindows: fieldsOf(spec.os).name === "windows" || security.windowsOptions !== undefined,
    volumes: listOf(spec.volumes).flatMap((volume, index) => {
      const name = textOf(fieldsOf(volume).name);
      return name === undefined
        ? []
        : [{ name, path: [...specPath, "volumes", index], fields: fieldsOf(volume) }];
    }),
    containers: ["initContainers", "containers", "ephemeralContainers"].flatMap((list) =>
      listOf(spec[list]).map((container, index) =>
        viewContainer(fieldsOf(container), [...specPath, list, index], spec),
      ),
    ),
  };
}

function viewContainer(fields: Fields, path: FieldPath, spec: Fields): ContainerView {
  const isInit = path.includes("initContainers");
  return {
    name: textOf(fields.name) ?? "?",
    path,
    fields,
    mounts: listOf(fields.volumeMounts).flatMap((mount, index) =>
      viewMount(fieldsOf(mount), [...path, "volumeMounts", index]),
    ),
    runsOnce:
      (isInit && fields.restartPolicy !== "Always") ||
      spec.restartPolicy === "Never" ||
      spec.restartPolicy === "OnFailure",
    user: viewUser(fieldsOf(fields.securityContext), fieldsOf(spec.securityContext)),
  };
}

function viewMount(fields: Fields, path: FieldPath): readonly MountView[] {
  const [volume, mountPath] = [textOf(fields.name), textOf(fields.mountPath)];
  if (volume === undefined || mountPath === undefined) return [];
  const subPathField = textOf(fields.subPathExpr) ? "subPathExpr" : "subPath";
  const subPath = textOf(fields[subPathField])?.replaceAll(/^(\.?\/)+|\/+$/g, "");
  const isWhole = subPath === undefined || subPath === "" || subPath === ".";
  return [{ volume, path, mountPath, subPath: isWhole ? undefined : subPath, subPathField }];
}

function viewUser(own: Fields, pod: Fields): UserView {
  const uid = integerOf(own.runAsUser) ?? integerOf(pod.runAsUser);
  const nonRoot = typeof own.runAsNonRoot === "boolean" ? own.runAsNonRoot : pod.runAsNonRoot === true;
  return {
    uid,
    gid: integerOf(own.runAsGroup) ?? integerOf(pod.runAsGroup),
    isNonRoot: uid === undefined ? nonRoot : uid !== 0,
  };
}
