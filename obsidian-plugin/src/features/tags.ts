import { type App, type TFile, getAllTags } from "obsidian";

/** A note's tags, each once, with their `#`. */
export function tagsOf(app: App, file: TFile): string[] {
  const cache = app.metadataCache.getFileCache(file);
  return cache === null ? [] : [...new Set(getAllTags(cache) ?? [])];
}
