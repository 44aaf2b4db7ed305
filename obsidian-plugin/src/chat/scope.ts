/** Which notes an answer may rest on, as the user chooses it. */

import type { ChatRequest, Scope as WireScope } from "../bridge/client";

export type ScopeKind = "vault" | "note" | "folder" | "tag" | "none";

export interface Scope {
  readonly kind: ScopeKind;
  /** The note's or the folder's path, or the tag. */
  readonly name: string;
}

export const wholeVault: Scope = { kind: "vault", name: "" };

/** A scope in the server's words; `exclude` are notes that are no sources. */
export function grounds(scope: Scope, usual: "auto" | "always" | "off", exclude: readonly string[]): ChatRequest["vaultbridge"] {
  const within: Record<ScopeKind, WireScope> = {
    vault: {},
    none: {},
    note: { notes: [scope.name] },
    folder: { folders: [scope.name] },
    tag: { tags: [scope.name] },
  };
  // Who chooses a place wants it to be read, whatever the question looks like.
  const grounding = scope.kind === "none" ? "off" : scope.kind === "vault" ? usual : "always";
  return { grounding, sources: "field", scope: { ...within[scope.kind], exclude } };
}
