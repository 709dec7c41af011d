// Watching a race: ticks move the lap's bar, a change of status fetches the laps and the chart anew.
import { showProgress } from "./jobs.js";
import { listen } from "./live.js";
import { calmly, refresh } from "./region.js";

const again = calmly(() => refresh("race", "before"), 150);

listen("user", {
  event: (name, data) => {
    if (!name.startsWith("jobs.job.") || !data.kind?.startsWith("lab.")) return;
    const known = document.querySelector(`[data-job="${CSS.escape(data.id)}"]`);
    if (!known || !showProgress(data)) again();
  },
  gap: again,
});
