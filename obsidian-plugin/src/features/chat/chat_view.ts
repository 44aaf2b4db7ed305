import { type HoverParent, type HoverPopover, ItemView, MarkdownView, Notice, type TFile, type WorkspaceLeaf } from "obsidian";
import type { Client } from "../../bridge/client";
import { withSources } from "../../chat/citations";
import { Conversation, type Turn } from "../../chat/conversation";
import { grounds } from "../../chat/scope";
import { sources } from "../../chat/answer";
import { type Change, Session } from "../../chat/session";
import type { Translate } from "../../i18n";
import type { Settings } from "../../settings";
import type { Dialogs } from "../dialogs";
import { troubleText } from "../trouble";
import type { Archive } from "./archive";
import { ChatNotesModal } from "./chat_notes_modal";
import { Composer } from "./composer";
import { ScopeBar } from "./scope_bar";
import { type TurnActions, TurnView } from "./turn_view";

export const CHAT_VIEW = "vaultbridge-chat";

/** So many turns are shown at first, and again with each look further back. */
const WINDOW = 20;
/** What comes within this many milliseconds is rendered together. */
const TOGETHER = 60;
/** Who is this near to the end, in pixels, follows it. */
const NEAR = 80;

/** A conversation with the vault. */
export class ChatView extends ItemView implements HoverParent {
  hoverPopover: HoverPopover | null = null;
  override readonly navigation = false;
  private readonly session: Session;
  private readonly shown = new Map<string, TurnView>();
  private readonly changed = new Set<string>();
  private window = WINDOW;
  private timer: number | null = null;
  private created = new Date();
  private note: TFile | null = null;
  private readonly scroller: HTMLElement;
  private readonly earlier: HTMLButtonElement;
  private readonly list: HTMLElement;
  private readonly composer: Composer;
  private readonly scopes: ScopeBar;

  constructor(
    leaf: WorkspaceLeaf,
    client: Client,
    private readonly dialogs: Dialogs,
    private readonly settings: Settings,
    private readonly archive: Archive,
    private readonly t: Translate,
  ) {
    super(leaf);
    this.session = new Session(client, {
      asking: () => {
        const own = archive.notes().map(({ path }) => path);
        return { vaultbridge: grounds(this.scopes.scope, settings.values.grounding, own) };
      },
      words: (error) => troubleText(error, t),
      newId: () => crypto.randomUUID().slice(0, 8),
    });
    this.contentEl.addClass("vaultbridge-chat");
    this.scroller = this.contentEl.createDiv({ cls: "vaultbridge-scroller" });
    this.earlier = this.scroller.createEl("button", { text: t("chat.earlier"), cls: "vaultbridge-earlier", attr: { type: "button" } });
    this.list = this.scroller.createDiv({ cls: "vaultbridge-turns", attr: { role: "log", "aria-label": t("chat.title") } });
    const below = this.contentEl.createDiv({ cls: "vaultbridge-below" });
    this.scopes = this.addChild(new ScopeBar(this.app, below, dialogs, t));
    this.composer = this.addChild(
      new Composer(
        below,
        {
          send: (question) => void this.session.ask(question),
          stop: () => {
            this.session.stop();
          },
          typed: (draft) => void this.session.warm(draft),
        },
        t,
      ),
    );
  }

  override getViewType(): string {
    return CHAT_VIEW;
  }

  override getDisplayText(): string {
    return this.t("chat.title");
  }

  override getIcon(): string {
    return "message-circle-question";
  }

  override async onOpen(): Promise<void> {
    this.addAction("plus", this.t("chat.new"), () => {
      this.begin(Conversation.empty, null);
    });
    this.addAction("history", this.t("chat.history"), () => {
      this.dialogs.open(new ChatNotesModal(this.app, this.archive.notes(), this.t, (file) => void this.openNote(file)));
    });
    this.register(
      this.session.subscribe((change) => {
        this.take(change);
      }),
    );
    this.registerDomEvent(this.earlier, "click", () => {
      this.window += WINDOW;
      void this.showTurns();
    });
    await this.showTurns();
  }

  override async onClose(): Promise<void> {
    this.session.stop();
    if (this.timer !== null) window.clearTimeout(this.timer);
    this.contentEl.empty();
    await Promise.resolve();
  }

  /** Go on with a conversation that was saved. */
  async openNote(file: TFile): Promise<void> {
    this.begin(await this.archive.open(file), file);
  }

  focusComposer(): void {
    this.composer.focus();
  }

  private begin(conversation: Conversation, note: TFile | null): void {
    this.note = note;
    this.created = note === null ? new Date() : new Date(note.stat.ctime);
    this.window = WINDOW;
    this.session.open(conversation);
    this.composer.focus();
  }

  private take(change: Change): void {
    this.composer.show(this.session.isRunning);
    if (change.kind === "turns") {
      void this.showTurns();
      return;
    }
    this.changed.add(change.id);
    this.timer ??= window.setTimeout(() => {
      this.timer = null;
      void this.showChanged();
    }, TOGETHER);
    if (!this.session.isRunning) void this.save();
  }

  /** Show the end of the conversation; older turns when somebody asks for them. */
  private async showTurns(): Promise<void> {
    const path = this.session.conversation.path;
    const turns = path.slice(-this.window);
    this.earlier.toggle(turns.length < path.length);
    for (const [id, view] of this.shown) {
      if (turns.some((turn) => turn.id === id)) continue;
      this.removeChild(view);
      view.element.remove();
      this.shown.delete(id);
    }
    const views = turns.map((turn) => this.shown.get(turn.id) ?? this.add(turn));
    this.list.replaceChildren(...views.map(({ element }) => element));
    await Promise.all(turns.map((turn) => this.show(turn)));
    this.scroller.scrollTop = this.scroller.scrollHeight;
  }

  private async showChanged(): Promise<void> {
    const { scroller } = this;
    const follows = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR;
    const changed = this.session.conversation.path.filter(({ id }) => this.changed.delete(id));
    await Promise.all(changed.map((turn) => this.show(turn)));
    if (follows) scroller.scrollTop = scroller.scrollHeight;
  }

  private add(turn: Turn): TurnView {
    const view = this.addChild(new TurnView(this.app, this, turn, this.actions, this.t));
    this.shown.set(turn.id, view);
    return view;
  }

  private async show(turn: Turn): Promise<void> {
    await this.shown.get(turn.id)?.show(turn, this.session.conversation.siblings(turn));
  }

  private async save(): Promise<void> {
    try {
      this.note = await this.archive.save(this.session.conversation, this.created, this.note);
    } catch {
      new Notice(this.t("chat.not-saved"));
    }
  }

  private readonly actions: TurnActions = {
    edit: (turn, question) => void this.session.edit(turn.id, question),
    regenerate: (turn) => void this.session.regenerate(turn.id),
    choose: (turn) => {
      this.session.choose(turn.id);
    },
    copy: (turn) => {
      void navigator.clipboard.writeText(this.noteText(turn)).then(() => new Notice(this.t("chat.copied")));
    },
    insert: (turn) => {
      const view = this.app.workspace.getMostRecentLeaf()?.view;
      if (view instanceof MarkdownView) view.editor.replaceSelection(this.noteText(turn));
      else new Notice(this.t("chat.no-note"));
    },
  };

  private noteText({ answer }: Turn): string {
    const cited = sources(answer).map(({ number }) => number);
    return withSources(answer.text, answer.citations, this.settings.values.sources ? cited : [], this.t("chat.sources-label"));
  }
}
