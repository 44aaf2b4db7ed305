import type { Hit } from "../bridge/wire";
import type { Translate } from "../i18n";

/** Why something was found, in the user's words; kinds that we do not know are left out. */
export function reasonText({ reasons }: Hit, t: Translate): string {
  const words = reasons.flatMap(({ kind, detail }): string[] => {
    switch (kind) {
      case "title":
      case "heading":
        return [t("reason.name", { detail })];
      case "words":
        return [t("reason.words", { detail })];
      case "meaning":
        return [t("reason.meaning", { detail: Math.round(Number(detail) * 100) })];
      case "linked":
        return [t("reason.linked", { detail: detail.replace(/^.*\/|\.md$/g, "") })];
      default:
        return [];
    }
  });
  return words.join(" · ");
}
