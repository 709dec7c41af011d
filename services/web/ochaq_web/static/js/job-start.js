// Watching the heavy job: ticks move the bar, a change of status fetches the finished card.
import { showProgress, showsActive } from "./jobs.js";
import { listen } from "./live.js";
import { calmly, refresh } from "./region.js";

const again = calmly(() => refresh("job", "before"), 150);

listen("user", {
  event: (name, data) => {
    if (!name.startsWith("jobs.job.") || !data.kind?.startsWith("students.")) return;
    const known = document.querySelector(`[data-job="${CSS.escape(data.id)}"]`);
    if (!known || !showProgress(data) || name === "jobs.job.changed") again();
  },
  gap: again,
  start: () => showsActive() && again(),
});
