// The operators' pages: look again by hand, and by itself when one of the reader's own jobs changes. Regions marked
// [data-still] change only by hand: rows must not move while somebody chooses among them.
import { t } from "./client.js";
import { $ } from "./dom.js";
import { listen } from "./live.js";
import { calmly, refresh, regions } from "./region.js";
import { toast } from "./toast.js";

const button = $("[data-refresh]");
button?.addEventListener("click", async () => {
  button.classList.add("waiting");
  try {
    await refresh(...regions());
  } catch {
    toast({ kind: "error", title: t("The server does not answer") });
  }
  button.classList.remove("waiting");
});

const moving = () => regions().filter((name) => !$(`[data-live-region="${name}"]`).hasAttribute("data-still"));
const again = calmly(() => refresh(...moving()), 1500);
listen("user", { event: (name) => name === "jobs.job.changed" && again(), gap: again });
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && again());

// A page that stands in for one that cannot be had looks again by itself. What it left out of the frame comes back with
// the whole page, when there is one.
const standIn = () => $("[data-again]");
const beganAsStandIn = Boolean(standIn());
let planned = 0;
function plan() {
  if (planned || !standIn()) return;
  planned = setTimeout(lookAgain, Number(standIn().dataset.again) * 1000);
}
async function lookAgain() {
  planned = 0;
  try {
    if (document.visibilityState === "visible") await refresh("ops");
  } catch {
    // Not even this page can be had just now: the next look may fare better.
  }
  if (beganAsStandIn && !standIn()) location.reload();
  plan();
}
document.addEventListener("region", plan);
plan();

// One tick above a list ticks all of it.
document.addEventListener("change", ({ target }) => {
  if (!target.matches("[data-tick-all]")) return;
  for (const box of target.closest("form").querySelectorAll("input[type=checkbox][name]")) box.checked = target.checked;
});
