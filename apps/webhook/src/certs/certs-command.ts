import { type CommandGroup, defineCommand, defineCommandGroup, type TypedOption } from "@newleaf/daemon";
import { acknowledgeOption, checkFollowerConfig, followerOptions } from "../certificates/follower-options.ts";
import { kubeOptions, objectName } from "../certificates/kube-options.ts";
import { checkLeaderConfig, leaderOptions } from "../certificates/leader-options.ts";
import { checkOutputConfig, outputOptions } from "./output-options.ts";
import { runCerts } from "./run-certs.ts";

const nameOption: TypedOption<string> = {
  flag: "--name <name>",
  description: "of Lease and Secret; NAME-ca and NAME-leader are beside them",
  schema: objectName(),
  hint: "such as --name shop-webhook",
};

const shared = { name: nameOption, ...kubeOptions, acknowledge: acknowledgeOption };

const leaderCommand = defineCommand({
  name: "leader",
  summary: "stand for election, and keep certificate, CA and caBundle while elected",
  examples: [
    {
      command: "newleaf webhook-certs leader --name shop-webhook --validating shop --prove-port 9443",
      note: "for the webhook behind the Service shop-webhook",
    },
  ],
  longRunning: true,
  options: { ...shared, ...leaderOptions },
  async run(config, context) {
    checkLeaderConfig(config);
    await runCerts(config, { leads: config }, context);
  },
});

const followerCommand = defineCommand({
  name: "follower",
  summary: "write the certificate that the Lease announces, and see that it is served",
  description:
    "Takes from the mounted Secret, or from the API server, only what the Lease names by its hash, and writes it into --out " +
    "all at once. Then the process is signalled, if one is named, and --verify looks by a handshake whether it took it over.",
  examples: [
    {
      command:
        "newleaf webhook-certs follower --name shop-webhook --from-secret --out /run/tls --pid-file /run/web.pid --verify 127.0.0.1:9443",
      note: "beside a server that reads its files again on SIGHUP",
    },
  ],
  longRunning: true,
  options: { ...shared, ...followerOptions, ...outputOptions },
  async run(config, context) {
    checkFollowerConfig(config);
    checkOutputConfig(config, config.certs);
    await runCerts(config, { follows: config }, context);
  },
});

const runCommand = defineCommand({
  name: "run",
  summary: "leader and follower in one process, as each replica of a webhook has it beside it",
  examples: [
    {
      command: "newleaf webhook-certs run --name shop-webhook --validating shop --from-secret --out /run/tls",
      note: "as a sidecar; the webhook reads its files again by itself",
    },
  ],
  longRunning: true,
  options: { ...shared, ...leaderOptions, ...followerOptions, ...outputOptions },
  async run(config, context) {
    checkLeaderConfig(config);
    checkFollowerConfig(config);
    checkOutputConfig(config, config.certs);
    await runCerts(config, { leads: config, follows: config }, context);
  },
});

/** `newleaf webhook-certs`: the certificate of a webhook in any language. */
export const certsCommand: CommandGroup = defineCommandGroup({
  name: "webhook-certs",
  summary: "elected serving certificates for admission webhooks in any language",
  commands: [leaderCommand, followerCommand, runCommand],
});
