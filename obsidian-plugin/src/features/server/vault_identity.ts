import { type App, Component, FileSystemAdapter } from "obsidian";
import type { Connection, ServerState } from "../../bridge/connection";
import type { Settings } from "../../settings";

const ID_CHARACTERS = 12;

/**
 * Accepts the server of this vault by itself where it can be known: on the desktop the vault's id is made of its path, as
 * the server makes it. Elsewhere the user has to say so once.
 */
export class VaultIdentity extends Component {
  constructor(
    private readonly app: App,
    private readonly connection: Connection,
    private readonly settings: Settings,
  ) {
    super();
  }

  override onload(): void {
    this.register(this.connection.subscribe((state) => void this.meet(state)));
  }

  private async meet(state: ServerState): Promise<void> {
    if (state.kind !== "stranger") return;
    const { id } = state.status.vault;
    if (id === (await this.ownId())) await this.settings.set("vault", id);
  }

  private async ownId(): Promise<string | null> {
    const { adapter } = this.app.vault;
    if (!(adapter instanceof FileSystemAdapter)) return null;
    const path = new TextEncoder().encode(adapter.getBasePath());
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", path));
    return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, ID_CHARACTERS);
  }
}
