// The switch between light and dark, remembered in this browser.
const dark = matchMedia("(prefers-color-scheme: dark)");

function change() {
  const now = document.documentElement.dataset.theme || (dark.matches ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("theme", next);
  } catch {
    // Then the choice holds for this page only.
  }
}

for (const button of document.querySelectorAll("[data-theme-switch]")) button.addEventListener("click", change);
