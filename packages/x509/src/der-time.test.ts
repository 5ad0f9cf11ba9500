import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DerCursor, type DerElement, TAG } from "./der.ts";
import { timeOf } from "./der-time.ts";
import { encode, generalizedTime, time } from "./der-writer.ts";

const read = (der: Uint8Array): DerElement => new DerCursor(der).read();
const text = (tag: number, content: string) => read(encode(tag, [Buffer.from(content, "latin1")]));

describe("times", () => {
  const utc = (content: string) => timeOf(text(TAG.UTC_TIME, content)).toISOString();
  const general = (content: string) => timeOf(text(TAG.GENERALIZED_TIME, content)).toISOString();

  test("the two forms", () => {
    expect(utc("491231235959Z")).toBe("2049-12-31T23:59:59.000Z");
    expect(utc("500101000000Z")).toBe("1950-01-01T00:00:00.000Z");
    expect(general("99991231235959Z")).toBe("9999-12-31T23:59:59.000Z");
    expect(general("00500101000000Z")).toBe("0050-01-01T00:00:00.000Z");
    expect(utc("240229000000Z")).toBe("2024-02-29T00:00:00.000Z");
    expect(general("20000229000000Z")).toBe("2000-02-29T00:00:00.000Z");
  });

  test.each([
    "2301010000Z",
    "230101000000",
    "230101000000+0100",
    "230101000000z",
    "231301000000Z",
    "230001000000Z",
    "230100000000Z",
    "230229000000Z",
    "230431000000Z",
    "230101240000Z",
    "230101006000Z",
    "230101000060Z",
    "23010100000 Z",
    "-30101000000Z",
    "230101000000.5Z",
    "",
  ])("not a UTCTime: %s", (content) => {
    expect(() => utc(content)).toThrowError(expect.objectContaining({ code: "ERR_X509_DER" }));
  });

  test.each(["20230101000000.0Z", "202301010000Z", "19000229000000Z", "2023010100000Z", "21000229000000Z"])(
    "not a GeneralizedTime: %s",
    (content) => {
      expect(() => general(content)).toThrowError(/time is not of the form/);
    },
  );

  test("what is written is read, to the second", () => {
    const range = {
      min: new Date("0000-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59Z"),
      noInvalidDate: true,
    };
    fc.assert(
      fc.property(fc.date(range), (date) => {
        expect(timeOf(read(time(date))).getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
        expect(timeOf(read(generalizedTime(date))).getTime()).toBe(Math.floor(date.getTime() / 1000) * 1000);
      }),
    );
    expect(read(time(new Date("2049-12-31T23:59:59.999Z"))).tag).toBe(TAG.UTC_TIME);
    expect(read(time(new Date("2050-01-01T00:00:00Z"))).tag).toBe(TAG.GENERALIZED_TIME);
    expect(read(time(new Date("1949-12-31T00:00:00Z"))).tag).toBe(TAG.GENERALIZED_TIME);
    expect(() => time(new Date(Number.NaN))).toThrowError(
      expect.objectContaining({ code: "ERR_X509_ISSUE" }),
    );
  });
});
