import { Buffer } from "node:buffer";
import { X509Error } from "./error.ts";

/** One encapsulated block: its label ("CERTIFICATE"), its octets, and where its BEGIN line starts in the text. */
export interface PemBlock {
  readonly label: string;
  readonly der: Uint8Array;
  readonly offset: number;
}

/** Room for one certificate revocation list of 64 MiB; larger texts are refused before they are looked at. */
const MAX_PEM_OCTETS = 96 * 1024 * 1024;
const MAX_BLOCKS = 100_000;

/**
 * Every block of a text (RFC 7468), in order. Text between blocks is skipped, but nothing that looks like a
 * block is: a BEGIN without its END, an END without its BEGIN, a boundary that does not stand on a line of its
 * own, or damaged base64 throws ERR_X509_PEM. So there are always as many blocks as BEGIN lines.
 */
export function parsePem(text: string | Uint8Array): readonly PemBlock[] {
  if (text.length > MAX_PEM_OCTETS) {
    throw new X509Error("ERR_X509_LIMIT", `PEM text of more than ${MAX_PEM_OCTETS} octets`);
  }
  const source = typeof text === "string" ? text : latin1(text);
  const blocks: PemBlock[] = [];
  for (let from = 0; ; ) {
    const begin = source.indexOf("-----BEGIN", from);
    refuseStrayEnd(source, from, begin);
    if (begin === -1) return blocks;
    if (blocks.length === MAX_BLOCKS) {
      throw new X509Error("ERR_X509_LIMIT", `PEM text of more than ${MAX_BLOCKS} blocks`);
    }
    const label = labelAt(source, begin, "BEGIN");
    const bodyStart = begin + `-----BEGIN ${label}-----`.length;
    const end = source.indexOf("-----", bodyStart);
    if (end === -1 || !source.startsWith("-----END ", end)) throw damage(`${label} has no END line`, begin);
    if (labelAt(source, end, "END") !== label) throw damage(`${label} ends with another label`, end);
    blocks.push({ label, der: decodeBase64(source.slice(bodyStart, end), label, begin), offset: begin });
    from = end + `-----END ${label}-----`.length;
  }
}

/** Whether octets are DER rather than text: a SEQUENCE of more than 127 octets, which no ASCII text looks like. */
export function isDer(input: string | Uint8Array): input is Uint8Array {
  return typeof input !== "string" && input[0] === 0x30 && (input[1] ?? 0) >= 0x80;
}

/** One block as text: 64 characters a line, newline at the end (RFC 7468 2). */
export function encodePem(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.length).toString("base64");
  const body = base64.replace(/.{1,64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${body}-----END ${label}-----\n`;
}

/** The label of the boundary at `start`, which must fill its line; only blanks may follow it. */
function labelAt(source: string, start: number, kind: "BEGIN" | "END"): string {
  const before = start === 0 ? "\n" : source[start - 1];
  const bom = before === "\ufeff" || (start === 3 && source.startsWith("\u00ef\u00bb\u00bf"));
  if (before !== "\n" && before !== "\r" && !bom) {
    throw damage(`${kind} boundary does not start its line`, start);
  }
  // On a bounded slice: labels are short, and the text may be 96 MiB.
  const match = /^-----(?:BEGIN|END) ([A-Z0-9][A-Z0-9 _/.+-]{0,62}[A-Z0-9])-----[ \t]*(?:\r|\n|$)/.exec(
    source.slice(start, start + 256),
  );
  if (match?.[1] === undefined) throw damage(`malformed ${kind} boundary`, start);
  return match[1];
}

function refuseStrayEnd(source: string, from: number, begin: number): void {
  const stray = source.indexOf("-----END", from);
  if (stray !== -1 && (begin === -1 || stray < begin)) throw damage("END without a BEGIN", stray);
}

function decodeBase64(body: string, label: string, offset: number): Uint8Array {
  const base64 = body.replace(/[\r\n\t ]+/g, "");
  const padding = base64.endsWith("==") ? 2 : base64.endsWith("=") ? 1 : 0;
  const firstPadding = base64.indexOf("=");
  const misplaced = firstPadding !== -1 && firstPadding !== base64.length - padding;
  if (base64.length === 0 || base64.length % 4 !== 0 || misplaced || /[^A-Za-z0-9+/=]/.test(base64)) {
    throw damage(`${label} is not base64`, offset);
  }
  const last = base64.slice(-4);
  // The bits behind the last octet must be zero, else two texts would stand for the same octets.
  if (Buffer.from(last, "base64").toString("base64") !== last) throw damage(`${label} is not base64`, offset);
  const der = new Uint8Array((base64.length / 4) * 3 - padding);
  Buffer.from(der.buffer).write(base64, "base64");
  return der;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}

function damage(message: string, offset: number): X509Error {
  return new X509Error("ERR_X509_PEM", message, { offset });
}
