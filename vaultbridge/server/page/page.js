// The page: its tabs, its keys, the state of the server; what asks and searches stands beside it.

import { Conversation } from "./conversation.js";
import { Search } from "./search.js";
import { Server } from "./server.js";

const BUSY_MS = 3000;
const QUIET_MS = 30000;
const $ = (id) => document.getElementById(id);

const server = new Server(askToken);
const conversation = new Conversation(server, $("turns"), showSpeed);
const search = new Search(server, $("hits"), $("found"));

// --- asking ---

$("composer").addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = $("question").value.trim();
  if (!question || conversation.running) return;
  $("question").value = "";
  fit();
  $("welcome").hidden = true;
  $("fresh").hidden = false;
  busy(true);
  await conversation.ask(question);
  busy(Boolean(conversation.running));
});
$("question").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});
$("question").addEventListener("input", fit);
$("stop").addEventListener("click", () => conversation.stop());
$("fresh").addEventListener("click", () => {
  conversation.clear();
  $("welcome").hidden = false;
  $("fresh").hidden = true;
  $("question").focus();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !$("locked").open) conversation.stop();
});

function busy(running) {
  $("send").hidden = running;
  $("stop").hidden = !running;
}

function fit() {
  $("question").rows = Math.min(8, $("question").value.split("\n").length);
}

// --- searching ---

$("finder").addEventListener("submit", (event) => {
  event.preventDefault();
  look();
});
$("finder").addEventListener("change", look);

function look() {
  const words = $("words").value.trim();
  if (words) search.look(words, new FormData($("finder")).get("mode"));
}

// --- tabs ---

const tabs = [$("tab-ask"), $("tab-search")];
for (const [index, tab] of tabs.entries()) {
  tab.addEventListener("click", () => open(tab));
  tab.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowRight" && event.key !== "ArrowLeft") return;
    const other = tabs[(index + 1) % tabs.length];
    open(other);
    other.focus();
  });
}

function open(chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
  }
  (chosen === tabs[0] ? $("question") : $("words")).focus();
}

// --- the state of the server ---

/** Look again soon while something changes, and not at all while nobody looks. */
async function refresh() {
  let settled = false;
  try {
    const health = await server.get("/health");
    const model = health.models.generator;
    $("light").dataset.state = health.status === "ok" ? (model?.state ?? "ready") : "starting";
    if (health.status === "ok") {
      const status = await server.get("/vault/status");
      showStatus(status, model);
      settled = status.freshness.pending === 0 && (!model || model.state === "ready");
    } else {
      $("model").textContent = "Opening the index";
    }
  } catch (error) {
    $("light").dataset.state = "failed";
    $("model").textContent = error.message;
  }
  setTimeout(whenVisible, settled ? QUIET_MS : BUSY_MS, refresh);
}

function whenVisible(work) {
  if (!document.hidden) work();
  else document.addEventListener("visibilitychange", () => whenVisible(work), { once: true });
}

function showStatus({ vault, counts, models, problems }, model) {
  conversation.vault = search.vault = vault.name;
  document.title = $("vault").textContent = vault.name;
  $("model").textContent = model && model.state !== "ready" ? `${models.generator}: ${model.state}` : models.generator;
  const done = models.embedder && counts.vectors < counts.chunks ? Math.floor((100 * counts.vectors) / counts.chunks) : 100;
  const pending = done < 100 ? `, ${100 - done} % still without vectors` : "";
  $("index").textContent = `${count(counts.notes)} notes, ${count(counts.chunks)} passages${pending}`;
  $("trouble").textContent = Object.entries(problems)
    .map(([part, problem]) => `${part}: ${problem}`)
    .join(" ");
}

function showSpeed(usage, timings) {
  if (usage?.completion_tokens > 1 && timings?.decode_ms > 0) {
    $("speed").textContent = `${((1000 * (usage.completion_tokens - 1)) / timings.decode_ms).toFixed(0)} tokens/s`;
  }
}

function count(number) {
  return number.toLocaleString("en");
}

// --- the token ---

function askToken(again) {
  $("locked-title").textContent = again ? "That token was not right" : "This server asks for a token";
  $("token").value = "";
  $("locked").showModal();
  return new Promise((resolve) => {
    $("locked").addEventListener("cancel", (event) => event.preventDefault());
    $("unlock").onsubmit = (event) => {
      event.preventDefault();
      $("locked").close();
      resolve($("token").value.trim());
    };
  });
}

refresh();
