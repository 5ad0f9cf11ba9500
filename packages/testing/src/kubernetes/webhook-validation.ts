import { fieldsOf, isJsonObject, itemsOf, type JsonObject } from "./json.ts";
import type { KubeObject } from "./kube-object.ts";
import { invalidValue, nameFault, requiredValue } from "./names.ts";
import type { StatusCause } from "./status-error.ts";

/** What is wrong with a Validating- or MutatingWebhookConfiguration. */
export function webhookFaults(configuration: KubeObject): StatusCause[] {
  const seen = new Set<unknown>();
  return itemsOf(configuration.webhooks).flatMap((item, index) => {
    const webhook = fieldsOf(item);
    const at = `webhooks[${index}]`;
    const faults: StatusCause[] = [];
    const name = String(webhook.name ?? "");
    if (!name) faults.push(requiredValue(`${at}.name`));
    else if (nameFault("subdomain", name) || name.split(".").length < 3) {
      faults.push(
        invalidValue(`${at}.name`, name, "should be a domain with at least three segments separated by dots"),
      );
    }
    if (seen.has(name)) {
      faults.push({
        reason: "FieldValueDuplicate",
        message: `Duplicate value: "${name}"`,
        field: `${at}.name`,
      });
    }
    seen.add(name);
    if (itemsOf(webhook.admissionReviewVersions).length === 0) {
      const why = "must specify one of v1, v1beta1";
      faults.push(requiredValue(`${at}.admissionReviewVersions`, why));
    }
    if (webhook.sideEffects !== "None" && webhook.sideEffects !== "NoneOnDryRun") {
      faults.push({
        reason: webhook.sideEffects === undefined ? "FieldValueRequired" : "FieldValueNotSupported",
        message:
          webhook.sideEffects === undefined
            ? "Required value: must specify one of None, NoneOnDryRun"
            : `Unsupported value: ${JSON.stringify(webhook.sideEffects)}: supported values: "None", "NoneOnDryRun"`,
        field: `${at}.sideEffects`,
      });
    }
    const { timeoutSeconds } = webhook;
    if (typeof timeoutSeconds === "number" && (timeoutSeconds < 1 || timeoutSeconds > 30)) {
      const why = "the timeout value must be between 1 and 30 seconds";
      faults.push(invalidValue(`${at}.timeoutSeconds`, timeoutSeconds, why));
    }
    return [...faults, ...clientConfigFaults(fieldsOf(webhook.clientConfig), `${at}.clientConfig`)];
  });
}

function clientConfigFaults(config: JsonObject, at: string): StatusCause[] {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) {
    return [requiredValue(at, "exactly one of url or service is required")];
  }
  if (typeof url === "string" && !url.startsWith("https://")) {
    return [
      invalidValue(
        `${at}.url`,
        url,
        "'https' is the only allowed URL scheme; desired format: https://host[/path]",
      ),
    ];
  }
  if (isJsonObject(service) && (!service.name || !service.namespace)) {
    return [requiredValue(`${at}.service.${service.name ? "namespace" : "name"}`)];
  }
  return [];
}
