// The job tray of the header: how many run, how far they are, and a button to stop each.
import { t } from "./client.js";
import { $, el, icon, ring, setRing } from "./dom.js";
import { request } from "./http.js";
import { ACTIVE, jobTitle, outcome, percent, statusLabel } from "./jobs.js";
import { listen } from "./live.js";
import { calmly } from "./region.js";

const SHOWN = 6;
const tray = $("[data-tray]");
const list = tray && $("[data-tray-list]", tray);
const jobs = new Map();

function keep(job) {
  const before = jobs.get(job.id);
  // A late tick of a job that is over, or an older figure, tells nothing new.
  if (before && !ACTIVE.has(before.status) && ACTIVE.has(job.status) && (job.attempt ?? 0) <= (before.attempt ?? 0)) return;
  const further = before?.progress && (before.progress.done ?? 0) > (job.progress?.done ?? 0) ? before.progress : job.progress;
  jobs.set(job.id, { ...before, ...job, progress: further });
}

function row(job) {
  const active = ACTIVE.has(job.status);
  const line = active && job.progress?.total ? `${percent(job.progress)}%` : outcome(job);
  return el(
    "li",
    { class: `tray-job status-${job.status}` },
    active ? ring(percent(job.progress)) : icon(job.status === "succeeded" ? "check" : "alert"),
    el("div", {}, el("p", {}, el("a", { class: "plain", href: `/result/${job.id}/` }, jobTitle(job))), el("p", { class: "fine" }, [statusLabel(job.status), line].filter(Boolean).join(" · "))),
    active && el("button", { class: "tool", type: "button", "aria-label": t("Cancel: {job}", { job: jobTitle(job) }), onclick: () => cancel(job) }, icon("stop")),
  );
}

async function cancel(job) {
  keep(await request(`/api/v1/jobs/${job.id}/cancel/`, { method: "POST" }));
  show();
}

function show() {
  const all = [...jobs.values()].sort((a, b) => (a.id < b.id ? 1 : -1));
  const active = all.filter((job) => ACTIVE.has(job.status));
  const count = $("[data-tray-count]", tray);
  count.textContent = active.length;
  count.hidden = !active.length;
  tray.classList.toggle("busy", active.length > 0);
  const done = active.reduce((sum, job) => sum + percent(job.progress), 0);
  setRing($("summary .ring", tray), active.length ? done / active.length : 0);
  $("[data-tray-empty]", tray).hidden = all.length > 0;
  const focused = list.contains(document.activeElement);
  if (!focused) list.replaceChildren(...all.slice(0, SHOWN).map(row));
}

async function load() {
  const { results } = await request(`/api/v1/jobs/?limit=${SHOWN}`, { quiet: true });
  for (const job of results) keep(job);
  show();
}

export function startTray() {
  if (!tray) return;
  // It fetches after a pause, and again when that failed: a job must not run on in the tray when it has ended.
  const look = calmly(load, 0);
  listen("user", {
    event: (name, data) => {
      if (!name.startsWith("jobs.job.")) return;
      keep(data);
      show();
    },
    gap: look,
    start: () => [...jobs.values()].some(({ status }) => ACTIVE.has(status)) && look(),
  });
  look();
}
