import { z } from "zod";

/** Schema of a number option: decimal digits in, a number from `min` to `max` out. */
export function wholeNumber(limits: { min: number; max: number }): z.ZodType<number, string> {
  const { min, max } = limits;
  const hint = `write a whole number from ${min} to ${max}`;
  return z.string().transform((text, context) => {
    const number = /^\s*\d{1,15}\s*$/.test(text) ? Number(text) : Number.NaN;
    const problem = Number.isNaN(number)
      ? "is not a whole number"
      : number < min
        ? `is less than ${min}`
        : number > max
          ? `is more than ${max}`
          : undefined;
    if (problem === undefined) return number;
    context.addIssue({ code: "custom", message: problem, params: { hint } });
    return z.NEVER;
  });
}
