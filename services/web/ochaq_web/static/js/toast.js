// Short notes in the corner. Errors stay until they are closed, the rest leaves by itself.
import { t } from "./client.js";
import { el, icon } from "./dom.js";

const ICONS = { success: "check", error: "alert", warning: "alert", info: "info" };
const AT_MOST = 4;

export function toast({ kind = "info", title, text = "", link = null, request = "", stay = kind === "error" }) {
  const corner = document.getElementById("toasts");
  if (!corner) return;
  const note = el(
    "div",
    { class: `toast ${kind}` },
    icon(ICONS[kind]),
    el(
      "div",
      { class: "toast-body" },
      el("p", {}, el("strong", {}, title)),
      text && el("p", {}, text),
      link && el("p", {}, el("a", { href: link.url }, link.text)),
      request && el("p", { class: "fine" }, t("Request"), " ", el("code", {}, request)),
    ),
    el("button", { class: "tool", type: "button", "aria-label": t("Close"), onclick: () => note.remove() }, icon("close")),
  );
  corner.append(note);
  while (corner.children.length > AT_MOST) corner.firstElementChild.remove();
  if (!stay) leave(note);
}

/** A note waits while somebody reads or points at it. */
function leave(note) {
  let timer = setTimeout(() => note.remove(), 7000);
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", () => (timer = setTimeout(() => note.remove(), 3000)));
}
