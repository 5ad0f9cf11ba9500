import { DerCursor } from "../src/der.ts";
import { encode } from "../src/der-writer.ts";

/** DER taken apart, so that a test can change it in one place and keep every length around it right. */
export interface DerNode {
  tag: number;
  /** Content octets of a primitive, children of a constructed element. */
  content: Uint8Array | DerNode[];
}

function toTree(der: Uint8Array): DerNode {
  const { tag, content } = new DerCursor(der).read();
  if ((tag & 0x20) === 0) return { tag, content };
  const children: DerNode[] = [];
  for (const cursor = new DerCursor(content); !cursor.done; ) children.push(toTree(cursor.read().raw));
  return { tag, content: children };
}

function fromTree({ tag, content }: DerNode): Uint8Array {
  return encode(tag, Array.isArray(content) ? content.map(fromTree) : [content]);
}

/** The node at a path of child indexes. */
export function at(node: DerNode, ...path: readonly number[]): DerNode {
  let current = node;
  for (const index of path) {
    const next = Array.isArray(current.content) ? current.content[index] : undefined;
    if (next === undefined) throw new Error(`no node at ${path.join(".")}`);
    current = next;
  }
  return current;
}

/** All nodes, parents first. */
export function allNodes(node: DerNode): DerNode[] {
  return [node, ...(Array.isArray(node.content) ? node.content.flatMap(allNodes) : [])];
}

/** The DER with one change made to its tree. */
export function edit(der: Uint8Array, change: (root: DerNode) => void): Uint8Array {
  const root = toTree(der);
  change(root);
  return fromTree(root);
}
