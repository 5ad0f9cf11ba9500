import type { AuditEvent } from "../kubernetes/audit-log.ts";

/** A request as RBAC sees it: `patch secrets/web`; a create has no name. */
export function callOf({ verb, objectRef = {} }: AuditEvent): string {
  const { resource, name, subresource } = objectRef;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  return name === undefined || verb === "create" ? `${verb} ${what}` : `${verb} ${what}/${name}`;
}

/** The rules of a Role or ClusterRole, as `kubectl get -o json` has them. */
export interface GrantedRules {
  readonly rules: readonly {
    readonly resources: readonly string[];
    readonly resourceNames?: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** Each single thing that is granted, in the words of `callOf`; `*` stands for any name. */
export function grantsOf({ rules }: GrantedRules): string[] {
  return rules.flatMap(({ resources, resourceNames, verbs }) =>
    resources.flatMap((resource) =>
      verbs.flatMap((verb) =>
        verb === "create"
          ? [`create ${resource}`]
          : (resourceNames ?? ["*"]).map((name) => `${verb} ${resource}/${name}`),
      ),
    ),
  );
}

/** `call` is what `grant` grants. */
export function isGrantedBy(call: string, grant: string): boolean {
  if (!grant.endsWith("/*")) return call === grant;
  const verbAndResource = grant.slice(0, -2);
  return call === verbAndResource || call.startsWith(`${verbAndResource}/`);
}
