// <details data-menu> opens and closes by itself; this adds what people expect: outside click, Escape, one at a time.
const menus = [...document.querySelectorAll("details[data-menu]")];

function close(menu, focus = false) {
  menu.open = false;
  if (focus) menu.querySelector("summary").focus();
}

for (const menu of menus) {
  menu.addEventListener("toggle", () => menu.open && menus.forEach((other) => other !== menu && close(other)));
  menu.addEventListener("keydown", (event) => event.key === "Escape" && menu.open && close(menu, true));
}
document.addEventListener("pointerdown", ({ target }) => menus.forEach((menu) => menu.open && !menu.contains(target) && close(menu)));
