import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Program } from "../../src/features/server/program";
import { twin } from "../twin/obsidian";

describe.skipIf(process.platform === "win32")("the server's program", () => {
  let folder = "";

  /** A program that runs until it is ended. */
  function program(script: string): string {
    const path = join(folder, "vaultbridge");
    writeFileSync(path, `#!${process.execPath}\n${script}`);
    chmodSync(path, 0o755);
    return path;
  }

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "vaultbridge-"));
    twin.desktop = true;
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
    twin.desktop = false;
  });

  it("is started for the vault, and ended", async () => {
    const running = new Program();
    const path = program("console.log(process.argv.slice(2).join(' '), process.env.VAULTBRIDGE_SERVER__TOKEN); setInterval(() => {}, 1000);");
    await running.start({ program: path, vault: "/My Vault", port: "1234", token: "sesame" });
    await expect.poll(() => running.log).toBe("serve --vault /My Vault --port 1234 sesame");
    expect(running.state).toBe("running");
    running.stop();
    await expect.poll(() => running.state).toBe("stopped");
  });

  it("that fails says why", async () => {
    const failing = new Program();
    await failing.start({ program: program("console.error('The port is taken.'); process.exitCode = 1;"), vault: "/V", port: "1", token: "" });
    await expect.poll(() => failing.state).toBe("failed");
    expect(failing.log).toContain("The port is taken.");
  });

  it("that is not there is missed", async () => {
    const missing = new Program();
    await missing.start({ program: join(folder, "nothing"), vault: "/V", port: "1", token: "" });
    await expect.poll(() => missing.state).toBe("missing");
  });

  it("is not started on a phone", async () => {
    twin.desktop = false;
    const phone = new Program();
    await phone.start({ program: "vaultbridge", vault: "/V", port: "1", token: "" });
    expect(phone.state).toBe("stopped");
  });
});
