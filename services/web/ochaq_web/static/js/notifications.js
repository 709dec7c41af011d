// The page behind /ws/: every event of mine, as it comes.
import { figure, t, user } from "./client.js";
import { $, el, icon } from "./dom.js";
import { jobTitle, outcome, percent, statusLabel } from "./jobs.js";
import { listen, watchState } from "./live.js";

const KEPT = 100;
const feed = $("[data-feed]");
const badge = $("[data-live-state]");
const running = new Map();

function line(name, data) {
  if (name.startsWith("jobs.job.")) {
    const progress = data.progress?.total ? `${percent(data.progress)}% · ${figure(data.progress.done)}` : "";
    return ["jobs", jobTitle(data), [statusLabel(data.status), outcome(data) || progress].filter(Boolean).join(" · ")];
  }
  if (name.startsWith("files.file.")) return ["file", data.name, { uploaded: t("uploaded"), completed: t("ready"), failed: t("could not be read"), changed: t("moved or renamed"), removed: t("removed") }[name.split(".")[2]] || name];
  return ["info", name, ""];
}

function item(name, data, time) {
  const [picture, title, text] = line(name, data);
  const moment = time ? new Date(time) : new Date();
  return el("li", { class: "feed-item" }, icon(picture), el("div", {}, el("strong", {}, title), el("p", { class: "fine" }, text)), el("time", { class: "fine", datetime: moment.toISOString() }, moment.toLocaleTimeString(document.documentElement.lang)));
}

function show(name, data, { time }) {
  $("[data-feed-empty]")?.remove();
  const next = item(name, data, time);
  // Ticks of one job share a line: a feed of a hundred percentages says less than one that moves.
  if (name === "jobs.job.progressed" && running.has(data.id)) running.get(data.id).replaceWith(next);
  else feed.prepend(next);
  if (name === "jobs.job.progressed") running.set(data.id, next);
  else running.delete(data.id);
  while (feed.children.length > KEPT) feed.lastElementChild.remove();
}

if (user) {
  listen("user", { event: show });
  watchState((state) => {
    const label = { open: badge.dataset.open, closed: badge.dataset.closed, "signed-out": badge.dataset.signedOut }[state];
    badge.lastElementChild.textContent = label;
    badge.classList.toggle("good", state === "open");
  });
}
