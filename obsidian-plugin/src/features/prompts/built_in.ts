import type { TextKey } from "../../i18n";
import type { Prompt } from "../../writing/prompts";

interface BuiltIn extends Omit<Prompt, "name"> {
  readonly name: TextKey;
}

/** The prompts that are there without any note; a note may take the place of each. */
export const BUILT_IN: readonly BuiltIn[] = [
  {
    id: "summarize",
    name: "prompt.summarize",
    template: "Summarize the following text in three to five sentences, in its own language.\n\n{{note}}",
    output: "insert",
    grounding: "off",
    temperature: 0.3,
  },
  {
    id: "continue",
    name: "prompt.continue",
    template: "{{above}}",
    output: "insert",
    grounding: "auto",
    temperature: null,
  },
  {
    id: "title",
    name: "prompt.title",
    template: "Write a title for the following text, in its own language. Answer with the title only.\n\n{{note}}",
    output: "title",
    grounding: "off",
    temperature: 0.3,
  },
  {
    id: "links",
    name: "prompt.links",
    template:
      "Here are a text, notes that may be linked in it, and tags. Which of the notes and tags fit the text? " +
      "Answer with those only, one a line, written as they are here.\n\n" +
      "Text:\n{{note}}\n\nNotes:\n{{links}}\n\nTags:\n{{tags}}",
    output: "links",
    grounding: "off",
    temperature: 0,
  },
];
