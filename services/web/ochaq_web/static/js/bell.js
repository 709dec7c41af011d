// The bell: what ended while the reader was here, as a note in the corner and as a list that is kept for the tab.
import { t, user } from "./client.js";
import { $, el, icon } from "./dom.js";
import { ACTIVE, jobTitle, outcome } from "./jobs.js";
import { listen } from "./live.js";
import { ago } from "./times.js";
import { toast } from "./toast.js";

const KEY = `bell:${user}`;
const KEPT = 20;
const STALE = 5 * 60 * 1000;
const bell = $("[data-bell]");
let items = [];
let unread = 0;

function load() {
  try {
    ({ items = [], unread = 0 } = JSON.parse(sessionStorage.getItem(KEY)) || {});
  } catch {
    items = [];
  }
}

function save() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ items, unread }));
  } catch {
    // Then the list lives as long as the page.
  }
}

/** The note an event deserves, or null: running jobs and files that are being read are shown elsewhere. */
export function noteOf(name, data) {
  if (name === "jobs.job.changed" && !ACTIVE.has(data.status)) {
    const kind = { succeeded: "success", failed: "error" }[data.status] || "warning";
    const title = { succeeded: t("Done: {job}", { job: jobTitle(data) }), failed: t("Failed: {job}", { job: jobTitle(data) }) }[data.status] || t("Cancelled: {job}", { job: jobTitle(data) });
    return { kind, title, text: outcome(data), url: `/result/${data.id}/`, link: t("Look at it") };
  }
  const folder = data.folder ? `?folder=${encodeURIComponent(data.folder)}` : "";
  if (name === "files.file.failed") return { kind: "error", title: t("{name} could not be read", { name: data.name }), text: data.failure?.detail || "", url: `/files/${folder}`, link: t("To the folder") };
  if (name === "files.file.completed") return { kind: "success", title: t("{name} is ready", { name: data.name }), text: "", url: `/files/${folder}`, link: t("To the folder"), silent: true };
  return null;
}

function show() {
  const count = $("[data-bell-count]", bell);
  count.textContent = unread;
  count.hidden = !unread;
  $("[data-bell-empty]", bell).hidden = items.length > 0;
  $("[data-bell-list]", bell).replaceChildren(
    ...items.map((item) =>
      el("li", { class: `bell-item ${item.kind}` }, icon(item.kind === "success" ? "check" : "alert"), el("a", { href: item.url }, item.title), el("p", { class: "fine" }, [item.text, ago(new Date(item.time))].filter(Boolean).join(" · "))),
    ),
  );
}

function ring(name, data, { time, id }) {
  const note = noteOf(name, data);
  if (!note || items.some((item) => item.id === id)) return;
  items = [{ id, kind: note.kind, title: note.title, text: note.text, url: note.url, time: time || new Date().toISOString() }, ...items].slice(0, KEPT);
  unread += 1;
  save();
  show();
  const old = time && Date.now() - new Date(time).getTime() > STALE;
  if (!old && !note.silent) toast({ kind: note.kind, title: note.title, text: note.text, link: location.pathname === note.url ? null : { url: note.url, text: note.link } });
}

export function startBell() {
  if (!bell) return;
  load();
  show();
  listen("user", { event: ring });
  bell.addEventListener("toggle", () => {
    if (!bell.open) return;
    unread = 0;
    save();
    show();
  });
}
