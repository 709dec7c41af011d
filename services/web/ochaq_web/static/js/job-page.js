// One job's page: ticks move the bar, every change fetches what the page tells anew. Somebody else's job sends an
// operator nothing, so that page has a button to look again.
import { t } from "./client.js";
import { $ } from "./dom.js";
import { showProgress, showsActive } from "./jobs.js";
import { listen } from "./live.js";
import { calmly, refresh, regions } from "./region.js";
import { toast } from "./toast.js";

const look = () => refresh(...regions());
const again = calmly(look, 150);

listen("user", {
  event: (name, data) => {
    if (!name.startsWith("jobs.job.") || !$(`main [data-job="${CSS.escape(data.id)}"]`)) return;
    if (!showProgress(data) || name === "jobs.job.changed") again();
  },
  gap: again,
  start: () => showsActive() && again(),
});

$("[data-refresh]")?.addEventListener("click", () => look().catch(() => toast({ kind: "error", title: t("The server does not answer") })));
