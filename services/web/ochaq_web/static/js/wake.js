// Keeps the screen on while somebody cooks. The browser drops the lock when the tab hides; we ask again when it is back.
import { t } from "./client.js";
import { toast } from "./toast.js";

let lock = null;
let wanted = false;

async function hold(button) {
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => (lock = null));
  } catch {
    wanted = false;
    toast({ kind: "warning", title: t("The screen cannot be kept on"), text: t("The battery saver may forbid it.") });
  }
  button.setAttribute("aria-pressed", String(wanted));
}

export function startWake(button) {
  // Only secure pages may hold the screen; a button that cannot would be a lie.
  if (!("wakeLock" in navigator)) {
    button.hidden = true;
    return;
  }
  button.addEventListener("click", () => {
    wanted = !wanted;
    if (wanted) return hold(button);
    button.setAttribute("aria-pressed", "false");
    return lock?.release();
  });
  document.addEventListener("visibilitychange", () => wanted && !lock && document.visibilityState === "visible" && hold(button));
}
