// "More": the next page is put under the rows that are there; without it the link opens the next page.
import { t } from "./client.js";
import { $ } from "./dom.js";
import { page } from "./http.js";
import { showTimes } from "./times.js";
import { toast } from "./toast.js";

async function extend(link) {
  link.classList.add("waiting");
  try {
    const next = await page(link.href);
    const list = $("[data-more-list]");
    const rows = [...($("[data-more-list]", next)?.children ?? [])];
    list.append(...rows);
    showTimes(list);
    const pager = $(".pager [data-more]", next);
    if (pager) link.href = pager.href;
    else link.remove();
    const first = rows[0]?.querySelector("a, button") ?? null;
    first?.focus({ preventScroll: true });
  } catch {
    toast({ kind: "error", title: t("The next page did not come"), text: t("Try again in a moment.") });
  }
  link.classList.remove("waiting");
}

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("[data-more]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  if (!link.classList.contains("waiting")) extend(link);
});
