import { en } from "./en";
import { zh } from "./zh";

export type TextKey = keyof typeof en;
export type Texts = Readonly<Record<TextKey, string>>;
export type Translate = (key: TextKey, values?: Readonly<Record<string, string | number>>) => string;

/** Texts in the app's language, or in English. */
export function translator(language: string): Translate {
  const texts: Texts = language.toLowerCase().startsWith("zh") ? zh : en;
  return (key, values = {}) =>
    texts[key].replace(/\{(\w+)\}/g, (place, name: string) => (name in values ? String(values[name]) : place));
}
