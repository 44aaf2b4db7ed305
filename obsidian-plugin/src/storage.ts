import type { Plugin } from "obsidian";
import type { DeviceValues, Storage, VaultValues } from "./settings";

const DEVICE_KEY = "vaultbridge";
const TOKEN_ID = "vaultbridge-token";

/** Where Obsidian keeps what is set: `data.json`, this device's local storage, and the token among its secrets. */
export class PluginStorage implements Storage {
  constructor(private readonly plugin: Plugin) {}

  loadVault(): Promise<unknown> {
    return this.plugin.loadData();
  }

  saveVault(values: VaultValues): Promise<void> {
    return this.plugin.saveData(values);
  }

  loadDevice(): unknown {
    return this.plugin.app.loadLocalStorage(DEVICE_KEY);
  }

  saveDevice(values: DeviceValues): void {
    this.plugin.app.saveLocalStorage(DEVICE_KEY, values);
  }

  get token(): string {
    return this.plugin.app.secretStorage.getSecret(TOKEN_ID) ?? "";
  }

  set token(token: string) {
    this.plugin.app.secretStorage.setSecret(TOKEN_ID, token);
  }
}
