// One recipe at the bench: servings, ticked steps, timers, a screen that stays on, copying, sharing.
import { t, tn } from "./client.js";
import { $, $$ } from "./dom.js";
import { asNodes, asText, parse, shape, times } from "./fractions.js";
import { startTimers } from "./timers.js";
import { toast } from "./toast.js";
import { startWake } from "./wake.js";

const recipe = $("[data-recipe]");
const name = $("h1").textContent;
const key = `recipe:${recipe.dataset.recipe}`;
const base = Number(recipe.dataset.servings) || 1;
const state = { servings: base, ticks: [], ...load() };

function load() {
  try {
    return JSON.parse(sessionStorage.getItem(key)) || {};
  } catch {
    return {};
  }
}

function save() {
  try {
    sessionStorage.setItem(key, JSON.stringify(state));
  } catch {
    // Then the page forgets on reload; cooking goes on.
  }
}

function amountOf(item) {
  const cell = $(".amount", item);
  const exact = parse(cell.dataset.amount || "");
  return exact && shape(times(exact, state.servings, base), $(".unit", item).textContent.trim());
}

function scale(servings) {
  state.servings = Math.min(200, Math.max(1, servings));
  save();
  for (const item of $$("[data-ingredients] li")) {
    const amount = amountOf(item);
    if (amount) $(".amount", item).replaceChildren(...asNodes(amount));
  }
  $("[data-ingredients]").classList.toggle("scaled", state.servings !== base);
  $("[data-servings-now]").textContent = tn("{n} serving", "{n} servings", state.servings);
  $("[data-fewer]").disabled = state.servings <= 1;
}

function startScaler() {
  for (const [selector, step] of [["[data-fewer]", -1], ["[data-more-servings]", 1]]) {
    $(selector).addEventListener("click", () => scale(state.servings + step));
  }
  if (state.servings !== base) scale(state.servings);
}

function startTicks() {
  const boxes = $$(".step-tick");
  const again = $("[data-untick]");
  const show = () => (again.hidden = !boxes.some((box) => box.checked));
  boxes.forEach((box, index) => {
    box.checked = Boolean(state.ticks[index]);
    box.addEventListener("change", () => {
      state.ticks[index] = box.checked;
      save();
      show();
    });
  });
  again.addEventListener("click", () => {
    boxes.forEach((box) => (box.checked = false));
    state.ticks = [];
    save();
    show();
    boxes[0]?.focus();
  });
  show();
}

function ingredientsAsText() {
  const lines = $$("[data-ingredients] li").map((item) => {
    const amount = amountOf(item);
    const words = [amount ? asText(amount) : $(".amount", item).textContent, $(".unit", item).textContent, $(".food", item).textContent];
    return words.map((word) => word.trim()).filter(Boolean).join(" ");
  });
  return [name, tn("{n} serving", "{n} servings", state.servings), "", ...lines].join("\n");
}

async function copy(text, done) {
  try {
    await navigator.clipboard.writeText(text);
    toast({ kind: "success", title: done });
  } catch {
    toast({ kind: "warning", title: t("This browser does not let pages copy"), text: t("Select the text and copy it by hand.") });
  }
}

async function share() {
  const address = location.origin + location.pathname;
  if (!navigator.share) {
    await copy(address, t("The link is copied"));
    return;
  }
  try {
    await navigator.share({ title: name, url: address });
  } catch (error) {
    // Closing the sheet is an answer, not a failure.
    if (error.name !== "AbortError") await copy(address, t("The link is copied"));
  }
}

startScaler();
startTicks();
startTimers();
startWake($("[data-wake]"));
$("[data-copy]").addEventListener("click", () => copy(ingredientsAsText(), t("Ingredients copied")));
$("[data-share]").addEventListener("click", share);
$("[data-print]").addEventListener("click", () => print());
