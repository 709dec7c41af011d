// My jobs, live: bars move in place, jobs that changed get their new card, new ones wait behind "1 new · show".
import { tn } from "./client.js";
import { $, $$ } from "./dom.js";
import { page } from "./http.js";
import { ACTIVE, showProgress } from "./jobs.js";
import { listen } from "./live.js";
import { calmly, refresh, swap } from "./region.js";

const AT_ONCE = 50; // what the page answers to one `only`
const fresh = $("[data-fresh]");
const unseen = new Set();
const changed = new Set();
const cardOf = (id, root = document) => $(`[data-job="${CSS.escape(id)}"]`, root);

/** Only the cards that changed are fetched: what "More" put under the first page stays where it is. */
const again = calmly(async () => {
  const ids = [...changed].slice(0, AT_ONCE);
  if (!ids.length) return;
  const answer = await page(`/result/?only=${ids.join(",")}`);
  for (const id of ids) {
    const next = cardOf(id, answer);
    if (next) swap(cardOf(id), next);
    changed.delete(id);
  }
  if (changed.size) again();
}, 150);

function look(ids) {
  for (const id of ids) changed.add(id);
  again();
}
const cards = () => $$('[data-live-region="jobs"] [data-job]');
const idsOf = (some) => some.map((card) => card.dataset.job);

/** New is what would stand above the first card of this list as it is filtered. */
function isNew({ id, kind, status }) {
  const filters = new URLSearchParams(location.search);
  const fits = (name, value) => !filters.get(name) || filters.get(name) === value;
  const [newest = ""] = idsOf(cards());
  return !filters.has("cursor") && id > newest && fits("kind", kind) && fits("status", status);
}

function tell(id) {
  unseen.add(id);
  fresh.hidden = false;
  fresh.textContent = tn("{n} new · show", "{n} new · show", unseen.size);
}

fresh.addEventListener("click", async () => {
  await refresh("jobs");
  unseen.clear();
  fresh.hidden = true;
});

listen("user", {
  event: (name, data) => {
    if (!name.startsWith("jobs.job.")) return;
    if (!cardOf(data.id)) {
      if (isNew(data)) tell(data.id);
    } else if (!showProgress(data) || name === "jobs.job.changed") look([data.id]);
  },
  gap: () => look(idsOf(cards())),
  start: () => look(idsOf(cards().filter((card) => ACTIVE.has(card.dataset.jobStatus)))),
});
