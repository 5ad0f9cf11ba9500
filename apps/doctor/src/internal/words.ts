import { formatDuration } from "@newleaf/daemon";
import { type Certificate, formatName } from "@newleaf/x509";

/** `serial 6d345d94cb4b`. */
export function serial(certificate: Certificate, beside?: Certificate): string {
  return `serial ${shortSerial(certificate, beside)}`;
}

/** The first digits; all of them where another certificate is named beside it that begins the same, as with authorities that count. */
export function shortSerial({ serialNumber }: Certificate, beside?: Certificate): string {
  const short = digits(serialNumber).slice(0, 12);
  if (beside === undefined || digits(beside.serialNumber) === digits(serialNumber)) return short;
  return digits(beside.serialNumber).startsWith(short) ? digits(serialNumber) : short;
}

function digits(serialNumber: string): string {
  return serialNumber.replaceAll(":", "").toLowerCase();
}

/** `in 3h` or `41m ago`, to the unit that matters. */
export function relative(to: Date, now: Date): string {
  const left = to.getTime() - now.getTime();
  const text = rounded(Math.abs(left));
  return left < 0 ? `${text} ago` : `in ${text}`;
}

export function rounded(ms: number): string {
  const unit = [86_400_000, 3_600_000, 60_000, 1_000].find((size) => ms >= 2 * size) ?? 1;
  return formatDuration(Math.trunc(ms / unit) * unit);
}

/** `2026-01-01T00:00:00.000Z (in 3h)`. */
export function moment(at: Date, now: Date): string {
  return `${at.toISOString()} (${relative(at, now)})`;
}

/** How people know a certificate: first URI, DNS name or address, else the common name or subject. */
export function nameOf({ subject, subjectAltNames }: Certificate): string {
  const named = ["uri", "dns", "ip"].map((type) => subjectAltNames.find((name) => name.type === type));
  const name = named.find((candidate) => candidate !== undefined);
  return name && "value" in name ? name.value : (subject.commonName ?? formatName(subject));
}
