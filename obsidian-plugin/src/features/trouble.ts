import { BridgeError } from "../bridge/errors";
import type { Translate } from "../i18n";

/** What went wrong and what to do about it; the server's own sentence follows where it knows more. */
export function troubleText(error: unknown, t: Translate): string {
  if (!(error instanceof BridgeError)) return t("trouble.unforeseen");
  return `${t(`trouble.${error.trouble}`)} ${error.detail}`.trim();
}
