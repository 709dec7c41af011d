// Kitchen timers: every "20 minutes" that the server marked in a step becomes a button. They live in storage, so a reload loses none.
import { t } from "./client.js";
import { $, $$, el, icon } from "./dom.js";
import { toast } from "./toast.js";

const KEY = "timers";

function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) || [];
  } catch {
    return [];
  }
}

let timers = load();
let audio = null;

function save() {
  try {
    localStorage.setItem(KEY, JSON.stringify(timers));
  } catch {
    // Then a timer lives as long as the page.
  }
}

/** Makes a marked time into a button of the same size. */
function offer(mark) {
  const step = mark.closest("li");
  const label = t("{recipe}, step {n}", { recipe: $("h1").textContent, n: [...step.parentNode.children].indexOf(step) + 1 });
  const seconds = Number(mark.dataset.seconds);
  mark.replaceWith(el("button", { class: "timer-start", type: "button", title: t("Start a timer"), onclick: () => start(seconds, label) }, ...mark.childNodes));
}

function start(seconds, label) {
  // A sound may only come later if its context began with somebody's click.
  audio ??= new AudioContext();
  timers.push({ id: crypto.randomUUID?.() || String(Math.random()), label, ends: Date.now() + seconds * 1000, told: false });
  save();
  show();
}

function stop(id) {
  timers = timers.filter((timer) => timer.id !== id);
  save();
  show();
}

export function clock(seconds) {
  const sign = seconds < 0 ? "+" : "";
  const whole = Math.abs(Math.ceil(seconds));
  const parts = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return sign + (parts[0] ? parts : parts.slice(1)).map((part, index) => (index ? String(part).padStart(2, "0") : part)).join(":");
}

const left = (timer) => (timer.ends - Date.now()) / 1000;

function show() {
  const place = $("[data-timers]");
  place.hidden = !timers.length;
  place.replaceChildren(
    ...timers.map((timer) =>
      el("div", { class: `timer${left(timer) <= 0 ? " over" : ""}`, "data-timer": timer.id }, el("strong", { role: "timer" }, clock(left(timer))), el("span", {}, timer.label), el("button", { class: "tool", type: "button", "aria-label": t("Stop the timer: {label}", { label: timer.label }), onclick: () => stop(timer.id) }, icon("close"))),
    ),
  );
}

function tick() {
  for (const timer of timers) {
    const node = $(`[data-timer="${CSS.escape(timer.id)}"]`);
    if (!node) continue;
    $("strong", node).textContent = clock(left(timer));
    node.classList.toggle("over", left(timer) <= 0);
    if (left(timer) <= 0 && !timer.told) ring(timer);
  }
}

function ring(timer) {
  timer.told = true;
  save();
  toast({ kind: "success", title: t("Time is up"), text: timer.label, stay: true });
  navigator.vibrate?.([300, 150, 300]);
  if (audio?.state === "running") for (const at of [0, 0.35, 0.7]) beep(audio.currentTime + at);
}

function beep(at) {
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  tone.frequency.value = 880;
  volume.gain.setValueAtTime(0.25, at);
  volume.gain.exponentialRampToValueAtTime(0.001, at + 0.3);
  tone.connect(volume).connect(audio.destination);
  tone.start(at);
  tone.stop(at + 0.3);
}

export function startTimers() {
  $$("[data-seconds]").forEach(offer);
  // A timer that ended hours ago is history, not news.
  timers = timers.filter((timer) => left(timer) > -3600);
  show();
  setInterval(tick, 250);
}
