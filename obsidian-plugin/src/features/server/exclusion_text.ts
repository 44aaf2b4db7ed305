import type { NoteStatus } from "../../bridge/wire";
import type { TextKey, Translate } from "../../i18n";

/** What the server's reasons begin with; behind it stands the rule. */
const KINDS: ReadonlyMap<string, TextKey> = new Map<string, TextKey>([
  [".vaultbridgeignore", "excluded.ignore-file"],
  ["excluded in Obsidian", "excluded.obsidian"],
  ["left out by default", "excluded.default"],
  ["private", "excluded.private"],
  ["a chat of this plugin", "excluded.chat"],
]);

/** Which rule leaves a note out; a kind that we do not know is said in the server's words. */
export function exclusionText(reason: string, t: Translate): string {
  const [, kind = "", rule = ""] = /^(.*?): (.*)$/.exec(reason) ?? [];
  const key = KINDS.get(kind);
  return key === undefined ? reason : t(key, { rule });
}

/** Whether a note can be found, and if not, why. */
export function noteText({ chunks, indexed, reason, state }: NoteStatus, t: Translate): string {
  const why = reason === "" ? "" : exclusionText(reason, t);
  if (indexed) return [t("panel.indexed", { passages: chunks }), why].filter(Boolean).join(" ");
  if (state === "waiting") return t("panel.waiting");
  return t("panel.not-indexed", { reason: why });
}
