import { resources, valueOrThrow } from "@newleaf/kube";
import { annotationNames } from "@newleaf/webhook";
import { NAME, NAMESPACE } from "./cluster-objects.ts";
import { eventually } from "./eventually.ts";
import type { Stage } from "./stage.ts";
import { storedBundle, storedPods, storedRollover } from "./stored.ts";

const names = annotationNames();

/** A CA rollover is asked for by an annotation, and followed to its end. */
export async function tellAuthorityStory(stage: Stage): Promise<void> {
  const { demo, cluster, announcements } = stage;
  const { api, admin } = cluster;
  const { signal } = demo;
  const old = announcements.current;
  const secrets = admin.resource(resources.secrets, { namespace: NAMESPACE });
  const body = { metadata: { annotations: { [names.rolloverRequested]: "true" } } };
  const asked = await secrets.patch(`${NAME}-ca`, { type: "merge", body }, { signal });
  valueOrThrow(asked, "a rollover cannot be asked for");
  demo.tell("step", `CA rollover: ${names.rolloverRequested} is put on the Secret ${NAME}-ca`);

  await eventually("two CAs in the caBundle", () => authoritiesIn(storedBundle(api)) === 2, signal);
  demo.tell("rotation", "the next CA is in the caBundle and in ca.crt, beside the old one");
  const all = await eventually(
    "acknowledgement by all replicas",
    () => {
      const { caHash } = announcements.current ?? {};
      const pods = storedPods(api);
      const done = pods.filter(
        ({ metadata }) => metadata?.annotations?.[names.acknowledgedCaHash] === caHash,
      );
      return caHash !== old?.caHash && done.length === pods.length && pods.length;
    },
    signal,
  );
  demo.tell("rotation", `acknowledged by ${all}/${all} replicas: they verify with both`);
  await eventually(
    "a certificate of the next CA",
    () => storedRollover(api)?.switchedAt !== undefined,
    signal,
  );
  const issuer = old?.leaf.issuer.commonName;
  await eventually(
    "that certificate announced",
    () => announcements.current?.leaf.issuer.commonName !== issuer,
    signal,
  );
  demo.tell("rotation", "the next CA signs: a certificate of it is announced");
  const dropped = (): boolean => {
    const note = storedRollover(api);
    return note === undefined || note.droppedAt !== undefined;
  };
  await eventually("proof by every replica", dropped, signal);
  await eventually("one CA in the caBundle", () => authoritiesIn(storedBundle(api)) === 1, signal);
  demo.tell("rotation", "every replica was seen to serve it: the old CA is out of the caBundle");
  await eventually("the end of the old trust", () => storedRollover(api) === undefined, signal);
  demo.tell("good", "no replica trusts the old CA any more");
}

function authoritiesIn(bundle: string): number {
  return bundle.split("-----BEGIN CERTIFICATE-----").length - 1;
}
