import { type Fields, fieldsOf, textOf } from "./fields.ts";
import type { VolumeView } from "./pod-view.ts";

/** An inline volume of one of cert-manager's drivers, which write certificates into it themselves. */
export interface CsiVolume {
  readonly driver: CsiDriver;
  /** A volume attribute without the driver's prefix; empty values count as absent, as they do to the driver. */
  attribute(name: string): string | undefined;
  /** Names of all its own attributes, without the prefix. */
  readonly names: readonly string[];
}

type CsiDriver = "csi.cert-manager.io" | "spiffe.csi.cert-manager.io";

const drivers: readonly string[] = [
  "csi.cert-manager.io",
  "spiffe.csi.cert-manager.io",
] satisfies CsiDriver[];

/** The volume as cert-manager's driver sees it, or undefined for any other volume. */
export function csiVolumeOf(volume: VolumeView): CsiVolume | undefined {
  const csi = fieldsOf(volume.fields.csi);
  const driver = textOf(csi.driver) ?? "";
  if (!drivers.includes(driver)) return undefined;
  const attributes: Fields = fieldsOf(csi.volumeAttributes);
  const prefix = `${driver}/`;
  return {
    driver: driver as CsiDriver,
    attribute: (name) => textOf(attributes[prefix + name]) || undefined,
    names: Object.keys(attributes).flatMap((key) =>
      key.startsWith(prefix) ? [key.slice(prefix.length)] : [],
    ),
  };
}
