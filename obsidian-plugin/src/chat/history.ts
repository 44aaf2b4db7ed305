/** A conversation as a Markdown note: readable as it is, and read back as it was. */

import type { Citation } from "../bridge/wire";
import { type Answer, type Progress, sources, waiting } from "./answer";
import { linked } from "./citations";
import { Conversation, type Turn } from "./conversation";
import { named, targetOf } from "./links";

/** What a note's front matter says to be a conversation. */
export const NOTE_KIND = "vaultbridge-chat";

const MARKER = /^%% turn (?<id>\S+) (?<parent>\S+) (?<progress>\w+)(?<last> last)? %%$/;
const SOURCE = /^> (?<number>\d+)\. (?<link>\[.+)$/;
const ALONE = "> [!info]- 0";
const SOURCES = "> [!quote]- ";
const QUESTION = "> [!question]";
const PROGRESSES: readonly Progress[] = ["done", "stopped", "failed"];

/** The note's text; `created` is when the conversation began. */
export function written(conversation: Conversation, created: Date): string {
  const turns = conversation.all.map((turn) => turnText(turn, turn === conversation.last));
  return [`---\ntype: ${NOTE_KIND}\ncreated: ${created.toISOString()}\n---`, ...turns].join("\n\n") + "\n";
}

function turnText({ id, parent, question, answer }: Turn, last: boolean): string {
  const progress = PROGRESSES.includes(answer.progress) ? answer.progress : "stopped";
  const asked = question.split("\n").map((line) => `> ${line}`.trimEnd());
  const said = linked(answer.text, answer.citations);
  const cited = sources(answer);
  const below =
    answer.grounded === false
      ? [ALONE]
      : cited.length > 0
        ? [`${SOURCES}${String(cited.length)}`, ...cited.map(({ number, link }) => `> ${String(number)}. ${link}`)]
        : [];
  return [
    `%% turn ${id} ${parent ?? "-"} ${progress}${last ? " last" : ""} %%`,
    [QUESTION, ...asked].join("\n"),
    ...(said === "" ? [] : [said]),
    ...(below.length > 0 ? [below.join("\n")] : []),
  ].join("\n\n");
}

/** The conversation of a note; what is no turn is left out. */
export function read(note: string): Conversation {
  const turns: Turn[] = [];
  let leaf: string | null = null;
  let lines: string[] = [];
  let head: RegExpExecArray | null = null;
  const close = (): void => {
    const turn = head && turnOf(head, lines);
    if (turn) {
      turns.push(turn);
      if (head?.groups?.["last"]) leaf = turn.id;
    }
    lines = [];
  };
  for (const line of note.split("\n")) {
    const found = MARKER.exec(line);
    if (found === null) {
      lines.push(line);
      continue;
    }
    close();
    head = found;
  }
  close();
  return Conversation.of(turns, leaf ?? turns.at(-1)?.id ?? null);
}

function turnOf(head: RegExpExecArray, lines: readonly string[]): Turn | null {
  const { id = "", parent = "-", progress = "done" } = head.groups ?? {};
  const start = lines.indexOf(QUESTION);
  if (start < 0) return null;
  const behind = lines.slice(start + 1);
  const end = behind.findIndex((line) => !line.startsWith(">"));
  const question = (end < 0 ? behind : behind.slice(0, end)).map((line) => line.replace(/^> ?/, ""));
  const answer = answerOf(end < 0 ? [] : behind.slice(end), PROGRESSES.find((one) => one === progress) ?? "done");
  return { id, parent: parent === "-" ? null : parent, question: question.join("\n"), answer };
}

function answerOf(lines: readonly string[], progress: Progress): Answer {
  const below = lines.findLastIndex((line) => line.startsWith(SOURCES) || line === ALONE);
  const said = below < 0 ? lines : lines.slice(0, below);
  const citations = (below < 0 ? [] : lines.slice(below)).flatMap(citationOf);
  let text = said.join("\n").trim();
  for (const { link, number } of citations) text = text.replaceAll(named(link, String(number)), `[${String(number)}]`);
  return {
    ...waiting,
    progress,
    text,
    grounded: citations.length > 0 ? true : lines[below] === ALONE ? false : null,
    citations,
    used: citations.map(({ number }) => number),
  };
}

/** Links are kept and passages are not: notes change, and a link is looked up when it is followed. */
function citationOf(line: string): Citation[] {
  const { number, link } = SOURCE.exec(line)?.groups ?? {};
  if (number === undefined || link === undefined) return [];
  const [path = "", ...heading] = targetOf(link).split("#");
  const span = { start: 0, end: 0, start_line: 0, end_line: 0 };
  return [{ number: Number(number), path, heading: heading.join("#"), span, quote: "", link }];
}
