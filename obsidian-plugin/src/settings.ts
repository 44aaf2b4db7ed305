/** What the user has set: some of it for the vault, on all devices, and some for this device alone. */

/** Kept in the plugin's `data.json`, which sync carries to other devices. */
export interface VaultValues {
  grounding: "auto" | "always" | "off";
  /** Whether generated text names its sources. */
  sources: boolean;
  /** Whether generated text is marked until it is accepted. */
  mark: boolean;
  promptFolder: string;
  chatFolder: string;
}

/** Kept on this device: a phone has another way to the server than the computer that it runs on. */
export interface DeviceValues {
  address: string;
  /** The id of this vault, as the server that was accepted for it says; empty until then. */
  vault: string;
  /** The program to start; empty is the one on the path. */
  program: string;
  /** Whether the server is started with Obsidian. */
  autostart: boolean;
  /** Whether the user was shown once how to set up. */
  welcomed: boolean;
}

export interface Values extends VaultValues, DeviceValues {}

export interface Storage {
  loadVault(): Promise<unknown>;
  saveVault(values: VaultValues): Promise<void>;
  loadDevice(): unknown;
  saveDevice(values: DeviceValues): void;
  token: string;
}

const VAULT: VaultValues = {
  grounding: "auto",
  sources: true,
  mark: true,
  promptFolder: "Prompts",
  chatFolder: "Chats",
};
const DEVICE: DeviceValues = { address: "http://127.0.0.1:1234", vault: "", program: "", autostart: false, welcomed: false };

export class Settings {
  private readonly listeners = new Set<() => void>();

  private constructor(
    private readonly storage: Storage,
    private vault: VaultValues,
    private device: DeviceValues,
  ) {}

  static async load(storage: Storage): Promise<Settings> {
    return new Settings(storage, known(VAULT, await storage.loadVault()), known(DEVICE, storage.loadDevice()));
  }

  get values(): Readonly<Values> {
    return { ...this.vault, ...this.device };
  }

  get token(): string {
    return this.storage.token;
  }

  set token(token: string) {
    this.storage.token = token;
    this.changed();
  }

  async set<K extends keyof Values>(key: K, value: Values[K]): Promise<void> {
    if (key in this.device) {
      this.device = { ...this.device, [key]: value };
      this.storage.saveDevice(this.device);
    } else {
      this.vault = { ...this.vault, [key]: value };
      await this.storage.saveVault(this.vault);
    }
    this.changed();
  }

  /** `listener` is told of each change until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private changed(): void {
    for (const listener of this.listeners) listener();
  }
}

/** The values that are of the right type, and the usual ones for the others. */
function known<T extends object>(usual: T, stored: unknown): T {
  const given = typeof stored === "object" && stored !== null ? Object.entries(stored) : [];
  const kinds = new Map(Object.entries(usual).map(([key, value]) => [key, typeof value]));
  return { ...usual, ...Object.fromEntries(given.filter(([key, value]) => kinds.get(key) === typeof value)) };
}
