// Danger asks once: a native dialog that resolves to true or false and gives the focus back.
import { t } from "./client.js";
import { el } from "./dom.js";

export function confirmDanger({ title, text, action }) {
  return new Promise((resolve) => {
    const box = el(
      "dialog",
      { "aria-labelledby": "dialog-title" },
      el("form", { method: "dialog" }, el("h2", { id: "dialog-title" }, title), el("p", {}, text), el("p", { class: "actions" }, el("button", { class: "button quiet", value: "no", autofocus: true }, t("Keep it")), el("button", { class: "button danger", value: "yes" }, action))),
    );
    box.addEventListener("close", () => {
      box.remove();
      resolve(box.returnValue === "yes");
    });
    document.body.append(box);
    box.showModal();
  });
}
