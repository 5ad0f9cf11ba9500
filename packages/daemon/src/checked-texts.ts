import { z } from "zod";

/**
 * Schema of a repeatable option whose texts something else knows how to read: those that `read` throws at are refused
 * with this problem (as in `"x" (from …): is not a DNS name`) and hint. Nothing given is an empty list.
 */
export function checkedTexts(
  read: (text: string) => unknown,
  refusal: { readonly problem: string; readonly hint: string },
): z.ZodType<readonly string[]> {
  const text = z.string().refine(
    (candidate) => {
      try {
        read(candidate);
        return true;
      } catch {
        return false;
      }
    },
    { message: refusal.problem, params: { hint: refusal.hint } },
  );
  return z.array(text).default([]);
}
