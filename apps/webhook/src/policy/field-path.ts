/** Where in an object: names of fields and indexes of lists. */
export type FieldPath = readonly (string | number)[];

/** As kubectl and the API server write it: `spec.containers[0].volumeMounts[1].subPath`. */
export function formatFieldPath(path: FieldPath): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    if (!/^[A-Za-z_]\w*$/.test(step)) return `${text}[${JSON.stringify(step)}]`;
    return text === "" ? step : `${text}.${step}`;
  }, "");
}
