/** `resource.group`, as kubectl names it, or `resource` in the core group. */
export function qualifiedName({
  group,
  resource,
}: {
  readonly group: string;
  readonly resource: string;
}): string {
  return group ? `${resource}.${group}` : resource;
}

/** `group/version`, as an object has it, or `v1` in the core group. */
export function apiVersionOf({
  group,
  version,
}: {
  readonly group: string;
  readonly version: string;
}): string {
  return group ? `${group}/${version}` : version;
}
