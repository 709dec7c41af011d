// My jobs, live: bars move in place, ended jobs get their new card, new ones wait behind "1 new · show".
import { tn } from "./client.js";
import { $ } from "./dom.js";
import { showProgress } from "./jobs.js";
import { listen } from "./live.js";
import { calmly, refresh } from "./region.js";

const fresh = $("[data-fresh]");
const unseen = new Set();
const again = calmly(() => refresh("jobs"), 200);

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
    const shown = document.querySelector(`[data-job="${CSS.escape(data.id)}"]`);
    if (!shown) tell(data.id);
    else if (!showProgress(data)) again();
  },
  gap: again,
});
