import type { ServerState } from "../../bridge/connection";
import type { Status } from "../../bridge/wire";
import type { Translate } from "../../i18n";

/** The state in a word or two. */
export function stateText(state: ServerState, t: Translate): string {
  switch (state.kind) {
    case "unknown":
      return t("state.unknown");
    case "away":
      return t(state.trouble === "offline" ? "state.offline" : state.trouble === "token" ? "state.token" : "state.trouble");
    case "stranger":
      return t("state.stranger");
    case "starting":
      return t("state.starting");
    case "indexing":
      return t("state.indexing", { percent: state.percent });
    case "loading":
      return t("state.loading");
    case "ready":
      return t("state.ready");
  }
}

/** What the state means and what to do, in a sentence. */
export function stateHelp(state: ServerState, t: Translate): string {
  switch (state.kind) {
    case "unknown":
      return t("help.unknown");
    case "away":
      return `${t(`trouble.${state.trouble}`)} ${state.detail}`.trim();
    case "stranger":
      return t("help.stranger", { vault: state.status.vault.name });
    case "starting":
      return t("help.starting");
    case "indexing":
      return [t("help.indexing"), progressText(state.status, t)].filter(Boolean).join(" ");
    case "loading":
      return t("help.loading");
    case "ready":
      return t("help.ready", { notes: state.status.counts.notes });
  }
}

/** Why it does not go on, or how long it will take; empty if nobody knows. */
function progressText({ progress }: Status, t: Translate): string {
  if (progress.paused !== "") return t("help.paused", { reason: progress.paused });
  return progress.seconds_left === null ? "" : t("help.time-left", { minutes: Math.ceil(progress.seconds_left / 60) });
}
