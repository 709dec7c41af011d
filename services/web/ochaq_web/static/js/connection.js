// The offline notice (after two seconds, leaves by itself), the footer's health dot, and the hint after a sign-out.
import { t, user } from "./client.js";
import { $ } from "./dom.js";
import { watchState } from "./live.js";
import { toast } from "./toast.js";

const notice = $("#offline");
const health = $("[data-health]");
let timer = 0;

function show(down) {
  clearTimeout(timer);
  if (!down) set(false);
  else timer = setTimeout(() => set(true), 2000);
}

function set(down) {
  notice.hidden = !down;
  if (!health) return;
  health.classList.toggle("down", down);
  $("[data-health-text]", health).textContent = down ? health.dataset.down : health.dataset.up;
}

function signedOut() {
  show(false);
  toast({ kind: "warning", title: t("You are signed out"), link: { url: `/accounts/login/?next=${encodeURIComponent(location.pathname)}`, text: t("Sign in again") }, stay: true });
}

export function watchConnection() {
  addEventListener("offline", () => show(true));
  if (!user) {
    addEventListener("online", () => show(false));
    return;
  }
  watchState((state) => (state === "signed-out" ? signedOut() : show(state !== "open")));
}
