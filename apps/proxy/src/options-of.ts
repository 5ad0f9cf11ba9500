import type { OptionDefinition, z } from "@newleaf/daemon";

/** The options that give a config of this type: one definition for each of its fields. */
export type OptionsOf<C> = {
  readonly [K in keyof C]: Omit<OptionDefinition, "schema"> & { readonly schema: z.ZodType<C[K]> };
};
