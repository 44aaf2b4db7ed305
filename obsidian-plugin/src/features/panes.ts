import type { App, WorkspaceLeaf } from "obsidian";

/** The pane of a view in the right sidebar: the one that is there, or a new one. */
export async function reveal(app: App, type: string): Promise<WorkspaceLeaf> {
  const { workspace } = app;
  const leaf = workspace.getLeavesOfType(type)[0] ?? workspace.getRightLeaf(false) ?? workspace.getLeaf(true);
  if (leaf.view.getViewType() !== type) await leaf.setViewState({ type, active: true });
  await workspace.revealLeaf(leaf);
  return leaf;
}
