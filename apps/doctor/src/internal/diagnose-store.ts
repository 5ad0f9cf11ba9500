import type { Diagnosis } from "../diagnosis.ts";
import type { Facts, StoredFile, StoreFacts } from "../facts.ts";
import { shellWord } from "./remedies.ts";
import { moment, nameOf, relative, rounded, serial } from "./words.ts";

/** An update that is being written has settled after this time. */
const SETTLED_MS = 5_000;
/** Renewal is due at half to two thirds of a life; with less than this share left it is late. */
const OVERDUE_SHARE = 0.2;

/** What is wrong with what is stored, by itself: the first thing only, for the others follow from it. */
export function diagnoseStore(
  store: StoreFacts | undefined,
  role: "server" | "client",
  facts: Facts,
  now: Date,
): readonly Diagnosis[] {
  if (!store) return [];
  const found =
    absent(store, facts) ??
    unreadable(store) ??
    mismatch(store, now) ??
    refused(store, now) ??
    (role === "server" ? permissions(store, facts) : undefined) ??
    undelivered(store, facts) ??
    overdue(store, now);
  return found ? [found] : [];
}

/** Whether a server that reads the store now gets something that it can use. */
export function isLoadable(store: StoreFacts, facts: Facts): boolean {
  return store.leaf !== undefined && !store.refusal && permissions(store, facts) === undefined;
}

function absent(store: StoreFacts, { workloadApi }: Facts): Diagnosis | undefined {
  const missing = store.files.filter(({ found }) => !found);
  if (missing.length === 0) return undefined;
  if (missing.length === store.files.length) {
    const denied = workloadApi?.failure?.kind === "denied";
    return wrong(store, "bootstrapping", {
      message: `no identity has been delivered yet: none of ${store.files.map(({ path }) => path).join(", ")} exists`,
      remedy: denied
        ? "The Workload API has no identity for this workload; the files come when it has one."
        : "This is a start, not a rotation: the deliverer (spiffe-helper, CSI driver, Secret) has not written once. Look at its log.",
    });
  }
  return wrong(store, "file_missing", {
    message: `${missing.map(({ path }) => path).join(", ")} ${missing.length === 1 ? "is" : "are"} missing beside the other files`,
    remedy:
      "The deliverer was interrupted, or writes other names: compare its configuration with the server's.",
  });
}

function unreadable(store: StoreFacts): Diagnosis | undefined {
  const file = store.files.find((candidate) => candidate.unreadable !== undefined);
  if (!file) return undefined;
  return wrong(store, "file_unreadable", {
    message: `${file.path} cannot be read here (${file.unreadable})`,
    remedy: "Run the doctor as a user that may read it, for example in the container that delivers it.",
  });
}

function mismatch(store: StoreFacts, now: Date): Diagnosis | undefined {
  if (store.refusal?.code !== "key_mismatch") return undefined;
  const age = now.getTime() - lastWritten(store).getTime();
  if (age < SETTLED_MS) {
    return wrong(store, "files_torn", {
      message: `certificate and key do not belong together, and were written ${rounded(age)} ago: an update is under way`,
      remedy: "Ask again in a moment. A server that reads them now keeps what it had.",
    });
  }
  return wrong(store, "key_mismatch", {
    message: `certificate and key do not belong together, since ${rounded(age)}: ${words(store.refusal.message)}`,
    remedy:
      "Every server refuses such a pair and keeps what it had, until that expires. Write both files again, by one deliverer, and reload.",
  });
}

function refused(store: StoreFacts, now: Date): Diagnosis | undefined {
  const { refusal, leaf } = store;
  if (!refusal) return undefined;
  if (leaf && leaf.notAfter < now) {
    return wrong(store, "stored_expired", {
      message: `the stored certificate (${serial(leaf)}) expired ${relative(leaf.notAfter, now)}: the rotation itself has stopped`,
      remedy:
        "A reload or restart cannot help. Look at who issues and delivers it: the Workload API, spiffe-helper, cert-manager.",
    });
  }
  return wrong(store, "stored_unusable", {
    message: `what is stored cannot be used: ${words(refusal.message)}`,
    remedy: "A server that reads it keeps what it had at best, or trusts nobody. Have it delivered again.",
  });
}

function permissions(store: StoreFacts, { postgres, targets }: Facts): Diagnosis | undefined {
  if (!postgres && !targets.some(({ protocol }) => protocol === "postgres")) return undefined;
  const key = store.files.find(({ part }) => part === "key");
  const why = key?.found && postgresObjection(key.found, postgres?.uid);
  if (!key || !why) return undefined;
  return wrong(store, "key_permissions", {
    message: `PostgreSQL refuses the key ${key.path}: ${why}. A reload then changes nothing, and pg_reload_conf() answers "t" all the same`,
    remedy: "The mode must be 0600, or 0640 when root owns it. Then reload.",
    command: `chmod 0600 ${shellWord(key.path)}`,
  });
}

/** The rule of be-secure-common.c, check_ssl_key_file_permissions. */
function postgresObjection(
  { mode, uid }: NonNullable<StoredFile["found"]>,
  serverUid: number | undefined,
): string | undefined {
  const octal = `0${(mode & 0o777).toString(8)}`;
  if (uid === 0) return mode & 0o027 ? `its mode is ${octal}` : undefined;
  if (serverUid !== undefined && uid !== serverUid)
    return `it belongs to user ${uid}, not to the server's (${serverUid})`;
  return mode & 0o077 ? `its mode is ${octal}` : undefined;
}

/** The Workload API has a newer certificate of the same identity than the files. */
function undelivered({ leaf, ...store }: StoreFacts, { workloadApi }: Facts): Diagnosis | undefined {
  if (!leaf) return undefined;
  const name = nameOf(leaf);
  const newer = workloadApi?.svids.find(
    ({ id, leaf: issued }) => id === name && issued.notBefore > leaf.notBefore,
  );
  if (!newer) return undefined;
  return wrong(store, "not_delivered", {
    message: `the Workload API has ${serial(newer.leaf, leaf)} for ${name}, and the files still hold ${serial(leaf, newer.leaf)}`,
    remedy:
      "Whoever writes the files does not follow the Workload API: look at the log of spiffe-helper, or use `newleaf helper`.",
  });
}

function overdue(store: StoreFacts, now: Date): Diagnosis | undefined {
  const { leaf } = store;
  if (!leaf) return undefined;
  const life = leaf.notAfter.getTime() - leaf.notBefore.getTime();
  const left = leaf.notAfter.getTime() - now.getTime();
  if (left > life * OVERDUE_SHARE) return undefined;
  return {
    ...wrong(store, "renewal_overdue", {
      message: `the stored certificate (${serial(leaf)}) ends at ${moment(leaf.notAfter, now)}, after ${Math.floor(100 - (100 * left) / life)} % of its life, and no newer one has come`,
      remedy: "Look at who issues and delivers it before it expires.",
    }),
    severity: "note",
  };
}

export function lastWritten(store: StoreFacts): Date {
  const times = store.files.flatMap(({ part, found }) =>
    found && part !== "trust" ? [found.modifiedAt.getTime()] : [],
  );
  return new Date(Math.max(0, ...times));
}

/** The gate says what is kept, which is a running process's matter. */
function words(message: string): string {
  return message.replace(/; no identity to keep yet$/, "");
}

function wrong(
  { name }: StoreFacts,
  code: Diagnosis["code"],
  said: Pick<Diagnosis, "message" | "remedy" | "command">,
): Diagnosis {
  return { code, subject: name, severity: "wrong", certificates: true, ...said };
}
