// What the tray, the job pages and the bell know about jobs: labels, progress that never goes back, rate and time left.
import { duration, figure, t, tn } from "./client.js";
import { $, $$ } from "./dom.js";

export const ACTIVE = new Set(["queued", "running"]);

export function jobTitle({ kind, params }) {
  if (kind === "students.generate" && params?.count) return tn("Make {n} demo student", "Make {n} demo students", params.count);
  if (kind === "students.generate") return t("Make demo students");
  if (kind === "students.purge") return t("Remove demo students");
  if (kind === "search.rebuild") return t("Rebuild the search index");
  if (kind === "lab.race") return t("Race the naive way against ours");
  if (kind === "lab.naive") return t("Lap: row by row");
  if (kind === "lab.ours") return t("Lap: in bulk");
  if (kind === "maintenance.sweep") return t("Forget what is too old");
  return kind;
}

export function statusLabel(status) {
  const labels = { queued: t("waiting"), running: t("running"), succeeded: t("done"), failed: t("failed"), cancelled: t("cancelled") };
  return labels[status] || status;
}

export const percent = (progress) => (progress?.total ? Math.min(100, Math.floor((100 * progress.done) / progress.total)) : 0);

/** Rate by a moving average of what came since the last tick, so that the time left neither jumps nor lags. */
class Meter {
  constructor() {
    this.at = 0;
    this.done = 0;
    this.rate = 0;
  }

  tick(done) {
    const now = performance.now();
    if (this.at && done > this.done) {
      const rate = ((done - this.done) * 1000) / Math.max(1, now - this.at);
      this.rate = this.rate ? 0.7 * this.rate + 0.3 * rate : rate;
    }
    if (!this.at || done > this.done) {
      this.at = now;
      this.done = done;
    }
    return this.rate;
  }
}
const meters = new Map();

export function rateOf(job) {
  if (!meters.has(job.id)) meters.set(job.id, new Meter());
  return meters.get(job.id).tick(job.progress?.done || 0);
}

// The furthest that is known of each job: a page fetched just before a tick came must not take the bar back.
const furthest = new Map();

function furthestOf({ id, progress }) {
  const known = furthest.get(id) || { done: 0, total: 0 };
  const now = { done: Math.max(known.done, progress?.done || 0), total: Math.max(known.total, progress?.total || 0) };
  furthest.set(id, now);
  return now;
}

/** Writes a tick into every card of this job on the page; false when one of them shows another status: fetch it then. */
export function showProgress(job) {
  const progress = furthestOf(job);
  const rate = rateOf({ id: job.id, progress });
  let same = true;
  for (const card of $$(`[data-job="${CSS.escape(job.id)}"]`)) {
    const status = card.dataset.jobStatus;
    if (status && status !== job.status) {
      // A tick that was overtaken by the end of its own attempt has nothing left to tell.
      if (ACTIVE.has(status) || !ACTIVE.has(job.status) || (job.attempt ?? 0) > Number(card.dataset.jobAttempt ?? -1)) same = false;
      continue;
    }
    const bar = $("[data-progress]", card);
    if (bar) fillBar(bar, progress, rate);
  }
  return same;
}

document.addEventListener("region", ({ target }) => {
  for (const card of [target, ...$$("[data-job]", target)]) {
    const known = furthest.get(card.dataset?.job);
    const bar = known && $("[data-progress]", card);
    if (bar) fillBar(bar, known, 0);
  }
});

/** Figures and bar only ever grow: whatever order the messages come in, nothing that was reached is taken back. */
function fillBar(bar, progress, rate) {
  const done = Math.max(progress.done, Number(bar.dataset.done || 0));
  const total = Math.max(progress.total, Number(bar.dataset.total || 0));
  const shown = $("progress", bar);
  const value = Math.max(shown.value, percent({ done, total }));
  Object.assign(bar.dataset, { done, total });
  shown.value = value;
  $("[data-progress-done]", bar).textContent = figure(done);
  if (total) $("[data-progress-total]", bar).textContent = figure(total);
  $("[data-progress-percent]", bar).textContent = `${value}%`;
  if (rate <= 0) return;
  $("[data-progress-rate]", bar).textContent = t("{rate} a second", { rate: figure(Math.round(rate)) });
  if (total > done) $("[data-progress-left]", bar).textContent = t("{time} left", { time: duration((total - done) / rate) });
}

/** Whether this page shows a job that is not over. */
export const showsActive = () => $("[data-job-status=queued], [data-job-status=running]") !== null;

/** One line about how a job ended. */
export function outcome({ status, result, error }) {
  if (status === "failed") return error?.detail || error?.code || t("It did not work.");
  if (status !== "succeeded" || !result) return "";
  const parts = [];
  if (result.created) parts.push(tn("{n} made", "{n} made", result.created));
  if (result.removed) parts.push(tn("{n} removed", "{n} removed", result.removed));
  if (result.documents) parts.push(tn("{n} document", "{n} documents", result.documents));
  if (typeof result.seconds === "number") parts.push(duration(result.seconds));
  return parts.join(" · ");
}
