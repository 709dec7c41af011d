// The operator's page: look again by hand, and by itself when a job changes.
import { $ } from "./dom.js";
import { listen } from "./live.js";
import { calmly, refresh } from "./region.js";
import { toast } from "./toast.js";
import { t } from "./client.js";

const button = $("[data-refresh]");
button.addEventListener("click", async () => {
  button.classList.add("waiting");
  try {
    await refresh("ops");
  } catch {
    toast({ kind: "error", title: t("The server does not answer") });
  }
  button.classList.remove("waiting");
});

const again = calmly(() => refresh("ops"), 1500);
listen("user", { event: (name) => name === "jobs.job.changed" && again(), gap: again });
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && again());
