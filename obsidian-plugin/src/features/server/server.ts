import { Component, FileSystemAdapter, type Plugin } from "obsidian";
import type { Connection } from "../../bridge/connection";
import type { Settings } from "../../settings";
import type { Translate } from "../../i18n";
import { Program } from "./program";
import type { ProgramState } from "./program";

/** The server as the user can steer it: watched as long as the plugin is loaded, started and stopped on the desktop. */
export class Server extends Component {
  private readonly program = new Program();

  constructor(
    private readonly plugin: Plugin,
    private readonly connection: Connection,
    private readonly settings: Settings,
    private readonly t: Translate,
  ) {
    super();
  }

  override onload(): void {
    const { connection, plugin, settings, t } = this;
    let target = this.target;
    this.register(
      settings.onChange(() => {
        // Only what leads to the server is a reason to look again.
        if (target === (target = this.target)) return;
        void connection.check();
      }),
    );
    this.register(this.program.subscribe(() => void connection.check()));
    // After sleep, or when the network is back.
    this.registerDomEvent(window, "online", () => void connection.check());
    this.registerDomEvent(activeDocument, "visibilitychange", () => {
      if (activeDocument.visibilityState === "visible") void connection.check();
    });
    plugin.addCommand({
      id: "start-server",
      name: t("command.start-server"),
      checkCallback: (checking) => this.isStartable && (checking || (void this.start(), true)),
    });
    plugin.addCommand({
      id: "stop-server",
      name: t("command.stop-server"),
      checkCallback: (checking) => this.isOurs && (checking || (this.stop(), true)),
    });
    plugin.app.workspace.onLayoutReady(() => void this.begin());
  }

  override onunload(): void {
    this.connection.stop();
    this.program.stop();
  }

  /** Whether it can be started from here: on the desktop, and at this computer's own address. */
  get isStartable(): boolean {
    return this.vaultPath !== null && !this.isOurs && this.port !== null;
  }

  /** Whether the server was started by us. */
  get isOurs(): boolean {
    return this.program.state === "running";
  }

  get state(): ProgramState {
    return this.program.state;
  }

  get log(): string {
    return this.program.log;
  }

  subscribe(listener: () => void): () => void {
    return this.program.subscribe(listener);
  }

  async start(): Promise<void> {
    const { vaultPath: vault, port } = this;
    if (vault === null || port === null) return;
    await this.program.start({ program: this.settings.values.program, vault, port, token: this.settings.token });
  }

  stop(): void {
    this.program.stop();
  }

  private async begin(): Promise<void> {
    await this.connection.check();
    const { state } = this.connection;
    // One that runs already is taken as it is.
    if (this.settings.values.autostart && state.kind === "away" && state.trouble === "offline") await this.start();
  }

  private get vaultPath(): string | null {
    const { adapter } = this.plugin.app.vault;
    return adapter instanceof FileSystemAdapter ? adapter.getBasePath() : null;
  }

  private get port(): string | null {
    if (!URL.canParse(this.settings.values.address)) return null;
    const { hostname, port } = new URL(this.settings.values.address);
    return ["127.0.0.1", "localhost"].includes(hostname) ? port || "80" : null;
  }

  private get target(): string {
    const { address, vault } = this.settings.values;
    return [address, vault, this.settings.token].join("\n");
  }
}
