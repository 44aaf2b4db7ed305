import { Notice, Setting } from "obsidian";
import type { Client } from "../bridge/client";
import { isStop } from "../bridge/errors";
import type { Role, Roles } from "../bridge/wire";
import type { Translate } from "../i18n";
import { troubleText } from "./trouble";

/** The purposes that the plugin has models for. */
const ROLES = ["chat", "embed", "rerank"] as const satisfies readonly Role[];

/** Which of its models the server uses for what. The choice is the server's: it holds for all that ask it. */
export class RoleSettings {
  private asking = new AbortController();

  constructor(
    private readonly element: HTMLElement,
    private readonly client: Client,
    private readonly t: Translate,
  ) {}

  /** Show what the server says now. */
  load(): Promise<void> {
    return this.take((signal) => this.client.roles(signal));
  }

  /** Say why there is nothing to choose. */
  away(): void {
    this.end();
    this.element.empty();
    this.element.createEl("p", { text: this.t("set.models-away"), cls: "vaultbridge-empty" });
  }

  end(): void {
    this.asking.abort();
  }

  private async take(ask: (signal: AbortSignal) => Promise<Roles>): Promise<void> {
    this.end();
    const { signal } = (this.asking = new AbortController());
    try {
      const roles = await ask(signal);
      if (!signal.aborted) this.show(roles);
    } catch (error) {
      if (!isStop(error)) new Notice(troubleText(error, this.t));
    }
  }

  private show(roles: Roles): void {
    const { t } = this;
    this.element.empty();
    for (const role of ROLES) {
      const { choices, chosen, model } = roles[role];
      const line = new Setting(this.element).setName(t(`set.${role}`)).setDesc(this.help(role, model, chosen));
      const names = [...new Set([...choices, ...(chosen === "" ? [] : [chosen])])];
      line.addDropdown((dropdown) =>
        dropdown
          .addOption("", t("set.model-usual"))
          .addOptions(Object.fromEntries(names.map((name) => [name, name])))
          .setValue(chosen)
          .setDisabled(names.length === 0)
          .onChange((name) => this.take((signal) => this.client.chooseModel(role, name, signal))),
      );
    }
  }

  private help(role: (typeof ROLES)[number], model: string, chosen: string): string {
    const { t } = this;
    const now = model === "" ? t("set.model-none") : t("set.model-now", { model });
    const next = chosen === "" || chosen === model ? "" : t("set.model-next", { model: chosen });
    return [t(`set.${role}-help`), now, next].filter(Boolean).join(" ");
  }
}
