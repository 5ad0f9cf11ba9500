import { defineCommand, hostPort, type LeafCommand } from "@newleaf/daemon";
import { acknowledgeOption, checkFollowerConfig, followerOptions } from "../certificates/follower-options.ts";
import { kubeOptions, objectName } from "../certificates/kube-options.ts";
import { checkLeaderConfig, leaderOptions } from "../certificates/leader-options.ts";
import { policyOptions, policySettings } from "../policy/policy-settings.ts";
import { runWebhook } from "./run-webhook.ts";

/** `newleaf webhook`: the policy as an admission webhook. */
export const webhookCommand: LeafCommand = defineCommand({
  name: "webhook",
  summary: "an admission webhook that refuses what cannot rotate, and keeps its own certificate",
  description:
    "Answers AdmissionReviews on /validate by the rules of newleaf lint: what a rule denies is refused, the rest is warned " +
    "about, and so is what an object had before an update. Its replicas elect one that keeps certificate, CA and caBundle; " +
    "each serves what the Lease announces, and goes on doing so whatever becomes of the leader or the API server.",
  examples: [
    {
      command: "newleaf webhook --certs /etc/webhook --admin :9464",
      note: "in a Pod with the Secret newleaf-webhook mounted, and POD_NAME and POD_NAMESPACE set",
    },
    {
      command:
        "newleaf webhook --from-secret --kubeconfig ~/.kube/config --namespace shop --listen 127.0.0.1:8443 --dns-name localhost --acknowledge none",
      note: "outside of a cluster, called by the URL https://localhost:8443/validate",
    },
    { command: "newleaf webhook --certs /etc/webhook --rule all=warn", note: "refuses nothing" },
  ],
  longRunning: true,
  options: {
    name: {
      flag: "--name <name>",
      description: "of Lease and Secret; NAME-ca and NAME-leader are beside them",
      schema: objectName(),
      default: "newleaf-webhook",
    },
    ...kubeOptions,
    listen: {
      flag: "--listen <host:port>",
      description: "where API servers ask",
      schema: hostPort(),
      default: "0.0.0.0:8443",
    },
    ...followerOptions,
    acknowledge: acknowledgeOption,
    ...leaderOptions,
    validating: {
      ...leaderOptions.validating,
      description: `${leaderOptions.validating.description}; by default --name`,
    },
    provePort: {
      ...leaderOptions.provePort,
      description: `${leaderOptions.provePort.description}; by default that of --listen`,
    },
    ...policyOptions,
  },
  async run(config, context) {
    checkFollowerConfig(config);
    checkLeaderConfig(config);
    const own = {
      ...config,
      validating: config.validating.length === 0 ? [config.name] : config.validating,
      provePort: config.provePort ?? config.listen.port,
    };
    await runWebhook(own, policySettings(config), context);
  },
});
