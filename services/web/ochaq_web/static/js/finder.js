// The header's search: answers in groups while typing, with the arrow keys; without it the form finds recipes.
import { staff, t } from "./client.js";
import { $, $$, el, icon, marked } from "./dom.js";
import { request } from "./http.js";

const form = $("[data-finder]");
const PAUSE = 140;

function recipeAnswer(recipe) {
  return answer(`/recipes/${recipe.slug}/`, recipe.plate_url ? el("img", { src: recipe.plate_url, alt: "", width: 32, height: 32 }) : icon("recipes"), recipe.name, "");
}

function studentAnswer(student) {
  const name = ["first_name", "last_name"].flatMap((field) => [...(student.highlight?.[field] ? marked(student.highlight[field]) : [student[field]]), " "]);
  return answer(`/students/?q=${encodeURIComponent(student.email)}`, icon("account"), el("span", {}, ...name), student.email);
}

function answer(url, picture, title, fine) {
  return el("a", { class: "finder-answer", href: url, role: "option", "aria-selected": "false", tabindex: "-1" }, picture, el("span", {}, title), fine && el("span", { class: "fine" }, fine));
}

class Finder {
  constructor(root) {
    this.input = $("input", root);
    this.box = $(".finder-answers", root);
    this.timer = 0;
    this.aborter = null;
    Object.entries({ role: "combobox", "aria-expanded": "false", "aria-controls": this.box.id, "aria-autocomplete": "list" }).forEach(([name, value]) => this.input.setAttribute(name, value));
    this.box.setAttribute("role", "listbox");
    this.box.setAttribute("aria-label", t("Answers"));
    this.input.addEventListener("input", () => this.soon());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("focus", () => this.input.value.trim().length > 1 && this.box.children.length && this.open());
    root.addEventListener("focusout", ({ relatedTarget }) => !root.contains(relatedTarget) && this.close());
    document.addEventListener("keydown", (event) => this.slash(event));
  }

  slash(event) {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.input.focus();
    this.input.select();
  }

  soon() {
    clearTimeout(this.timer);
    this.aborter?.abort();
    const q = this.input.value.trim();
    if (q.length < 2) this.close();
    else this.timer = setTimeout(() => this.find(q), PAUSE);
  }

  async find(q) {
    this.aborter = new AbortController();
    const ask = (url) => request(url, { signal: this.aborter.signal, quiet: true }).then((body) => body.results, (error) => (error.name === "AbortError" ? Promise.reject(error) : null));
    const encoded = encodeURIComponent(q);
    try {
      const [recipes, students] = await Promise.all([ask(`/api/v1/recipes/?limit=5&q=${encoded}`), staff ? ask(`/api/v1/search/students?limit=5&q=${encoded}`) : []]);
      this.show(recipes, students);
    } catch {
      // Aborted: a newer question is on its way.
    }
  }

  show(recipes, students) {
    const groups = [
      [t("Recipes"), recipes, recipeAnswer],
      [t("Students"), students, studentAnswer],
    ].filter(([, found]) => found === null || found.length);
    const parts = groups.map(([title, found, make], at) => {
      const id = `finder-group-${at}`;
      return el("div", { role: "group", "aria-labelledby": id }, el("p", { class: "finder-group", id }, title), found === null ? el("p", { class: "finder-none" }, t("No answer just now")) : found.map(make));
    });
    this.box.replaceChildren(...(parts.length ? parts : [el("p", { class: "finder-none", role: "option", "aria-selected": "false" }, t("Nothing found"))]));
    $$(".finder-answer", this.box).forEach((option, at) => (option.id = `finder-answer-${at}`));
    this.open();
  }

  key(event) {
    const options = $$(".finder-answer", this.box);
    const at = options.findIndex((option) => option.getAttribute("aria-selected") === "true");
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && at >= 0 && !this.box.hidden) {
      event.preventDefault();
      options[at].click();
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && options.length) {
      event.preventDefault();
      this.choose(options, (at + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
    }
  }

  choose(options, at) {
    this.open();
    options.forEach((option, index) => option.setAttribute("aria-selected", String(index === at)));
    options[at].scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", options[at].id);
  }

  open() {
    this.box.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
  }

  close() {
    this.box.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }
}

export function startFinder() {
  if (form) new Finder(form);
}
