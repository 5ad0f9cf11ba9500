// Reads a folder's certificate, key and bundle every millisecond, as programs do that open one file after the other, and
// reports each certificate once all three fit.  node credential-reader.ts DIRECTORY
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";

/** Each line that it writes; the first says that it has begun to look. */
export type ReaderMessage =
  | { readonly looking: true }
  | { readonly complete: string; readonly atNs: number }
  | { readonly totals: ReaderTotals };

export interface ReaderTotals {
  readonly reads: number;
  /** Opening each file by its name. */
  readonly byName: Faults;
  /** Opening all in one folder, which was resolved first. */
  readonly bySet: Faults;
}

export interface Faults {
  /** All three were there, and were not whole or not of one update. */
  mismatched: number;
  /** One was not there: whoever looks again finds it. */
  missing: number;
}

const [directory = ""] = process.argv.slice(2);
const totals = { reads: 0, byName: { mismatched: 0, missing: 0 }, bySet: { mismatched: 0, missing: 0 } };
const pause = new Int32Array(new SharedArrayBuffer(4));
let going = true;
let reported = "";

// Any line that it reads ends it.
process.stdin.once("data", () => {
  going = false;
});
process.stdin.once("end", () => process.exit());
say({ looking: true });
setImmediate(look);

function say(message: ReaderMessage): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function look(): void {
  if (!going) {
    say({ totals });
    return;
  }
  totals.reads++;
  const found = readSet(directory, totals.byName);
  const atNs = Number(process.hrtime.bigint());
  if (found !== undefined && found !== reported) {
    reported = found;
    say({ complete: found, atNs });
  }
  readSet(resolved(), totals.bySet);
  Atomics.wait(pause, 0, 0, 1);
  setImmediate(look);
}

/** Where the certificate is now: the folder of one update, if the writer has such. */
function resolved(): string {
  try {
    return dirname(realpathSync(join(directory, "svid.pem")));
  } catch {
    return directory;
  }
}

/** The certificate's serial number, if the three files are whole and of one update. */
function readSet(folder: string, faults: Faults): string | undefined {
  const files = readFiles(folder);
  // Before the first update there is nothing to miss.
  if (files === undefined && reported !== "") faults.missing++;
  if (files === undefined) return undefined;
  const serial = serialOf(files);
  if (serial === undefined) faults.mismatched++;
  return serial;
}

function readFiles(folder: string): readonly string[] | undefined {
  try {
    return ["svid.pem", "svid_key.pem", "svid_bundle.pem"].map((name) =>
      readFileSync(join(folder, name), "utf8"),
    );
  } catch {
    return undefined;
  }
}

function serialOf([certificate = "", key = "", bundle = ""]: readonly string[]): string | undefined {
  if (!bundle.trimEnd().endsWith("-----END CERTIFICATE-----")) return undefined;
  try {
    const leaf = certificateOf(certificate);
    return leaf.publicKey === publicKeyOf(key) ? leaf.serialNumber : undefined;
  } catch {
    return undefined;
  }
}

// Most reads find what the one before found.
function remember<T>(read: (text: string) => T): (text: string) => T {
  let last: { text: string; value: T } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, value: read(text) };
    return last.value;
  };
}

const certificateOf = remember((text) => {
  const certificate = new X509Certificate(text);
  return { serialNumber: certificate.serialNumber, publicKey: spki(certificate.publicKey) };
});
const publicKeyOf = remember((text) => spki(createPublicKey(createPrivateKey(text))));

function spki(key: ReturnType<typeof createPublicKey>): string {
  return key.export({ type: "spki", format: "der" }).toString("base64");
}
