// Forms: the error summary gets the focus, and a second press of the button does nothing.
const summary = document.querySelector("[data-error-summary]");
summary?.focus();

for (const link of summary?.querySelectorAll("a") ?? []) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    document.querySelector(link.hash)?.focus();
  });
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches("[data-once]")) return;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  form.querySelector('[type="submit"]')?.classList.add("waiting");
});
// Coming back with the browser's button must not find a dead form.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-once]")) {
    delete form.dataset.sent;
    form.querySelector(".waiting")?.classList.remove("waiting");
  }
});
