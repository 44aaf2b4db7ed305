import { describe, expect, it } from "vitest";
import { Mismatch, object, string } from "../../src/bridge/checks";
import * as wire from "../../src/bridge/wire";
import { snapshot } from "./snapshots";

describe("the server's snapshots", () => {
  it("hold a status", () => {
    const status = wire.status(JSON.parse(snapshot("status.json")), "");
    expect(status.vault.name).toBe("My Vault");
    expect(status.counts.notes).toBe(5);
  });

  it("hold the roles of models", () => {
    const { chat, rerank } = wire.roles(JSON.parse(snapshot("roles.json")), "");
    expect(chat).toEqual({ model: "fakes", chosen: "", choices: ["a-model"] });
    expect(rerank.model).toBe("");
  });

  it("hold hits", () => {
    const { hits } = wire.found(JSON.parse(snapshot("search.json")), "");
    expect(hits.map(({ link }) => link)).toEqual(["[[Tomatoes#Watering]]", "[[Tomatoes#Soil]]"]);
    expect(hits[0]?.span.start_line).toBe(1);
    expect(hits[0]?.reasons.map(({ kind }) => kind)).toContain("title");
  });

  it("hold an error", () => {
    expect(wire.problemBody(JSON.parse(snapshot("error.json")), "").error.code).toBe("invalid_request");
  });
});

describe("a check", () => {
  it("names the place that is wrong", () => {
    const check = object({ vault: object({ id: string }) });
    expect(() => check({ vault: { id: 7 } }, "")).toThrow(new Mismatch("a string", "vault.id"));
  });

  it("leaves out what it was not asked for", () => {
    expect(object({ id: string })({ id: "a", secret: 1 }, "")).toEqual({ id: "a" });
  });
});
