import { Component, type Modal } from "obsidian";

/** The dialogs that are open: they are closed when their plugin is unloaded. */
export class Dialogs extends Component {
  private opened: Modal[] = [];

  open(dialog: Modal): void {
    this.opened = [...this.opened.filter(isOpen), dialog];
    dialog.open();
  }

  override onunload(): void {
    for (const dialog of this.opened.splice(0).filter(isOpen)) dialog.close();
  }
}

function isOpen({ containerEl }: Modal): boolean {
  return containerEl.isConnected;
}
