import type { ServerState } from "../../bridge/connection";
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
      return t("help.indexing");
    case "loading":
      return t("help.loading");
    case "ready":
      return t("help.ready", { notes: state.status.counts.notes });
  }
}
