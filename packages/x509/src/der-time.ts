import { type DerCursor, type DerElement, TAG } from "./der.ts";
import { X509Error } from "./error.ts";
import type { Warn } from "./warning.ts";

/** The next element of the cursor as Time: UTCTime until 2049, GeneralizedTime from then on (RFC 5280 4.1.2.5). */
export function readTime(cursor: DerCursor, what: string, warn?: Warn): Date {
  const element = cursor.read();
  if (element.tag !== TAG.UTC_TIME && element.tag !== TAG.GENERALIZED_TIME) {
    throw new X509Error("ERR_X509_DER", `${what} is not a time`, { offset: element.start });
  }
  const time = timeOf(element);
  if (element.tag === TAG.GENERALIZED_TIME && time.getTime() < YEAR_2050) {
    warn?.("time_encoding", "a time before 2050 is written as GeneralizedTime");
  }
  return time;
}

const YEAR_2050 = Date.UTC(2050, 0, 1);

/** UTCTime `YYMMDDHHMMSSZ` or GeneralizedTime `YYYYMMDDHHMMSSZ`: no other form is valid (RFC 5280 4.1.2.5). */
export function timeOf(element: DerElement): Date {
  const { bytes, contentStart: at, end } = element;
  const yearDigits = element.tag === TAG.UTC_TIME ? 2 : 4;
  if (element.length !== yearDigits + 11 || bytes[end - 1] !== 0x5a) throw notATime(element);
  const rest = at + yearDigits;
  const digits = number(element, at, yearDigits);
  const year = yearDigits === 4 ? digits : digits < 50 ? 2000 + digits : 1900 + digits;
  const month = number(element, rest, 2);
  const day = number(element, rest + 2, 2);
  const hour = number(element, rest + 4, 2);
  const minute = number(element, rest + 6, 2);
  const second = number(element, rest + 8, 2);
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) throw notATime(element);
  if (hour > 23 || minute > 59 || second > 59) throw notATime(element);
  const date = new Date(Date.UTC(year, month - 1, day, hour, minute, second));
  // Date.UTC moves the years 0-99 into the 20th century.
  if (year < 100) date.setUTCFullYear(year);
  return date;
}

function number(element: DerElement, start: number, count: number): number {
  let value = 0;
  for (let i = start; i < start + count; i++) {
    const digit = (element.bytes[i] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) throw notATime(element);
    value = value * 10 + digit;
  }
  return value;
}

function daysIn(year: number, month: number): number {
  if (month !== 2) return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
}

function notATime(element: DerElement): X509Error {
  return new X509Error("ERR_X509_DER", "time is not of the form [YY]YYMMDDHHMMSSZ", {
    offset: element.start,
  });
}
