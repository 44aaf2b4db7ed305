import { Platform } from "obsidian";

export type ProgramState = "stopped" | "running" | "missing" | "failed";

export interface Serving {
  readonly program: string;
  readonly vault: string;
  readonly port: string;
  readonly token: string;
}

type Spawn = typeof import("node:child_process").spawn;
type Child = ReturnType<Spawn>;

interface Desktop {
  readonly spawn: Spawn;
  readonly env: Record<string, string | undefined>;
}

const MOST_LINES = 500;
/** Where installers put programs that the desktop's own PATH may not name. */
const USUAL_FOLDERS = ["/opt/homebrew/bin", "/usr/local/bin"];

/** A `vaultbridge serve` that is ours: started and stopped by us, and never installed or changed. */
export class Program {
  private child: Child | null = null;
  private current: ProgramState = "stopped";
  private lines: string[] = [];
  private readonly listeners = new Set<() => void>();

  get state(): ProgramState {
    return this.current;
  }

  /** The end of what it has said. */
  get log(): string {
    return this.lines.join("\n");
  }

  /** `listener` is told of each new state until the returned function is called. */
  subscribe(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async start({ program, vault, port, token }: Serving): Promise<void> {
    const desktop = await desktopOf();
    if (desktop === null || this.child !== null) return;
    this.lines = [];
    const child = desktop.spawn(program || "vaultbridge", ["serve", "--vault", vault, "--port", port], {
      env: { ...desktop.env, ...(token !== "" && { VAULTBRIDGE_SERVER__TOKEN: token }) },
      stdio: ["ignore", "pipe", "pipe"],
      windowsHide: true,
    });
    this.child = child;
    this.become("running");
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8");
      stream?.on("data", (text: string) => {
        this.lines = [...this.lines, ...text.trimEnd().split("\n")].slice(-MOST_LINES);
      });
    }
    child.on("error", (error) => {
      this.lines.push(error.message);
      this.end(child, "code" in error && error.code === "ENOENT" ? "missing" : "failed");
    });
    child.on("exit", (code) => {
      this.end(child, code === 0 || code === null ? "stopped" : "failed");
    });
  }

  /** End the server, if it is ours. */
  stop(): void {
    this.child?.kill();
  }

  private end(child: Child, state: ProgramState): void {
    if (this.child !== child) return;
    this.child = null;
    this.become(state);
  }

  private become(state: ProgramState): void {
    this.current = state;
    for (const listener of this.listeners) listener();
  }
}

/** What a desktop can do; null elsewhere, where there is no Node. */
async function desktopOf(): Promise<Desktop | null> {
  if (Platform.isDesktop) {
    const [{ spawn }, { env }, { homedir }, paths] = await Promise.all([
      import("node:child_process"),
      import("node:process"),
      import("node:os"),
      import("node:path"),
    ]);
    const folders = [env["PATH"] ?? "", paths.join(homedir(), ".local", "bin"), ...USUAL_FOLDERS];
    return { spawn, env: { ...env, PATH: folders.join(paths.delimiter) } };
  }
  return null;
}
