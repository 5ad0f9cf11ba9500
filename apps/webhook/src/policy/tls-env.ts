import { fieldsOf, listOf, textOf } from "./fields.ts";
import type { Problem } from "./finding.ts";
import type { ContainerView, PodView } from "./pod-view.ts";
import type { PolicyContext } from "./policy-context.ts";
import type { Rule } from "./rule.ts";
import { type FileRole, roleOfFileName, speaksOfTls } from "./tls-file-name.ts";

export const tlsEnvRule: Rule = {
  id: "tls-env",
  title: "a TLS Secret, or a ConfigMap of CAs, read into environment variables",
  reason:
    "The environment of a process is set when its container starts and never changes. It also shows a private key to " +
    "every child process and to whoever may read /proc.",
  mend: "mount the Secret as a volume and read the files",
  severity: "deny",
  checkPod: (pod, { context }) =>
    pod.containers
      .filter(({ runsOnce }) => !runsOnce)
      .flatMap((container) => [...singleKeys(container), ...wholeObjects(container, pod, context)]),
};

function singleKeys(container: ContainerView): readonly Problem[] {
  return listOf(container.fields.env).flatMap((entry, index) => {
    const variable = fieldsOf(entry);
    const from = fieldsOf(variable.valueFrom);
    return (["secretKeyRef", "configMapKeyRef"] as const).flatMap((field) => {
      const { name, key } = fieldsOf(from[field]);
      const [object = "?", file = ""] = [textOf(name), textOf(key)];
      const place = [object, textOf(variable.name) ?? ""].find(speaksOfTls) ?? "";
      const role = roleOfFileName(file, place);
      if (role === undefined || (field === "configMapKeyRef" && !isTrust(role))) return [];
      const kind = field === "secretKeyRef" ? "Secret" : "ConfigMap";
      return [
        {
          path: [...container.path, "env", index, "valueFrom", field],
          message:
            `${file} of ${kind} ${object} is read into the environment variable ${textOf(variable.name) ?? "?"} of ` +
            `${container.name}, which keeps the value that it started with`,
          mend: `mount ${kind} ${object} as a volume and give the program the path of the file`,
        },
      ];
    });
  });
}

function wholeObjects(container: ContainerView, pod: PodView, context: PolicyContext): readonly Problem[] {
  return listOf(container.fields.envFrom).flatMap((entry, index) =>
    (["secretRef", "configMapRef"] as const).flatMap((field) => {
      const name = textOf(fieldsOf(fieldsOf(entry)[field]).name);
      if (name === undefined) return [];
      const isSecret = field === "secretRef";
      const known = isSecret
        ? context.tlsSecret(pod.namespace, name)
        : context.caConfigMap(pod.namespace, name);
      if (known === undefined) return [];
      const object = `${isSecret ? "Secret" : "ConfigMap"} ${name}`;
      return [
        {
          path: [...container.path, "envFrom", index, field],
          message:
            `${object}, which holds ${known.join(", ")}, is read into the environment of ${container.name}, ` +
            "which keeps the values that it started with",
          mend: `mount ${object} as a volume and give the program the paths of the files`,
        },
      ];
    }),
  );
}

function isTrust(role: FileRole): boolean {
  return role === "ca" || role === "certificate";
}
