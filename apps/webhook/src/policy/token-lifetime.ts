import { fieldsOf, isFields, listOf } from "./fields.ts";
import type { Problem } from "./finding.ts";
import { spell } from "./renewal-window.ts";
import type { Rule } from "./rule.ts";

export const tokenLifetimeRule: Rule = {
  id: "token-lifetime",
  title:
    "a projected service account token asked to live longer than the API server grants, or under ten minutes",
  reason:
    "The API server shortens a token to --service-account-max-token-expiration (24 h on most managed clusters) without a " +
    "word, and the kubelet replaces every token after 24 h at the latest: who relies on more holds an expired token. Under " +
    "600 s the Pod is refused.",
  mend: "ask for what is granted, and read the file again before each use",
  severity: "warn",
  checkPod: (pod, { limits }) =>
    pod.volumes.flatMap((volume) =>
      listOf(fieldsOf(volume.fields.projected).sources).flatMap((source, index) => {
        const token = fieldsOf(source).serviceAccountToken;
        const seconds = isFields(token) ? token.expirationSeconds : undefined;
        const path = [
          ...volume.path,
          "projected",
          "sources",
          index,
          "serviceAccountToken",
          "expirationSeconds",
        ];
        return typeof seconds === "number" ? problemOf(seconds, limits.maxTokenLifetimeMs, path) : [];
      }),
    ),
};

const leastSeconds = 600;

function problemOf(seconds: number, maxMs: number, path: Problem["path"]): readonly Problem[] {
  if (seconds < leastSeconds) {
    const message = `expirationSeconds ${seconds} is below ${leastSeconds}: the API server refuses the Pod`;
    return [{ path, message, mend: `write ${leastSeconds} or more, or leave it out for 3600` }];
  }
  if (seconds * 1_000 <= maxMs) return [];
  const message = `expirationSeconds ${seconds} (${spell(seconds * 1_000)}) is more than the ${spell(maxMs)} that are granted: the token ends before that`;
  return [
    {
      path,
      message,
      mend: `write ${Math.floor(maxMs / 1_000)} or less; the kubelet replaces the file in time`,
    },
  ];
}
