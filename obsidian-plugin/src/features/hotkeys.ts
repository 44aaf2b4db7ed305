import type { App, Command, Hotkey } from "obsidian";

/** Parts of the app that its types hide. Without them no hotkey is known to be taken. */
interface Hidden {
  readonly commands?: { readonly commands?: Readonly<Record<string, Command>> };
  readonly hotkeyManager?: {
    getHotkeys?(id: string): Hotkey[] | undefined;
    getDefaultHotkeys?(id: string): Hotkey[] | undefined;
  };
}

/** The name of the command that a hotkey runs; null if it is free. */
export function holderOf(app: App, wanted: Hotkey): string | null {
  const { commands, hotkeyManager } = app as unknown as Hidden;
  for (const command of Object.values(commands?.commands ?? {})) {
    // What the user set takes the place of what the plugin asked for.
    const held = hotkeyManager?.getHotkeys?.(command.id) ?? hotkeyManager?.getDefaultHotkeys?.(command.id) ?? command.hotkeys;
    if (held?.some((hotkey) => isSame(hotkey, wanted))) return command.name;
  }
  return null;
}

function isSame(one: Hotkey, other: Hotkey): boolean {
  const modifiers = (hotkey: Hotkey): string => [...hotkey.modifiers].sort().join("+");
  return one.key.toLowerCase() === other.key.toLowerCase() && modifiers(one) === modifiers(other);
}
