// The students' table: answers while typing (a misspelling is fine), and quiet news when others add students.
import { figure, t, tn } from "./client.js";
import { $, $$, el, marked } from "./dom.js";
import { ProblemError, request } from "./http.js";
import { listen } from "./live.js";
import { refresh } from "./region.js";

const PAUSE = 120;
const LIMIT = 50;
const form = $("[data-student-search]");
const input = $("#student-q");
const status = $("[data-search-status]");
const busy = $("[data-busy]");
const fresh = $("[data-fresh]");
const region = () => $('[data-live-region="students"]');
let aborter = null;
let timer = 0;
let usual = null; // the server's own table, kept while answers are shown
let news = 0;

const field = (student, name) => (student.highlight?.[name] ? marked(student.highlight[name]) : [student[name]]);

function row(student) {
  const letters = (student.first_name[0] || "") + (student.last_name[0] || "");
  return el(
    "tr",
    { "data-id": student.id, tabindex: "-1" },
    el("th", { scope: "row" }, el("div", { class: "person" }, el("span", { class: "initials", "aria-hidden": "true" }, letters), el("span", {}, field(student, "first_name"), " ", el("strong", {}, field(student, "last_name")), el("span", { class: "person-mail" }, field(student, "email"))))),
    el("td", { class: "mail" }, el("a", { href: `mailto:${student.email}` }, field(student, "email"))),
  );
}

function table(students) {
  const head = el("thead", {}, el("tr", {}, el("th", { scope: "col" }, t("Name")), el("th", { scope: "col", class: "mail" }, t("E-mail"))));
  return el("table", { class: "table students-table" }, el("caption", { class: "visually-hidden" }, t("Students found")), head, el("tbody", { id: "student-rows" }, students.map(row)));
}

function show({ results, total, took_ms: took, query }) {
  usual ??= [...region().childNodes];
  if (results.length) region().replaceChildren(table(results));
  else region().replaceChildren(el("div", { class: "empty" }, el("p", { class: "empty-title" }, t("Nobody is called “{q}”", { q: query })), el("p", {}, t("Try fewer letters, or a part of the e-mail address."))));
  const found = tn("{n} student found", "{n} students found", total);
  const milliseconds = t("{n} ms", { n: figure(Math.max(1, Math.round(took))) });
  status.textContent = [found, total > results.length ? t("the best {n} are shown", { n: figure(results.length) }) : "", milliseconds].filter(Boolean).join(" · ");
}

function restore() {
  aborter?.abort();
  busy.hidden = true;
  status.textContent = "";
  if (usual) region().replaceChildren(...usual);
  usual = null;
}

function fail(problem, q) {
  const again = el("button", { class: "button quiet small", type: "button", onclick: () => find(q) }, t("Try again"));
  status.replaceChildren(`${problem.title} `, problem.request_id ? el("code", {}, problem.request_id) : "", " ", again);
}

async function find(q) {
  aborter?.abort();
  const mine = (aborter = new AbortController());
  busy.hidden = false;
  try {
    const answer = await request(`/api/v1/search/students?q=${encodeURIComponent(q)}&limit=${LIMIT}`, { signal: mine.signal, quiet: true });
    if (mine === aborter) show(answer);
  } catch (error) {
    if (error instanceof ProblemError && mine === aborter) fail(error.problem, q);
  }
  if (mine === aborter) busy.hidden = true;
}

const hasAges = () => ["age_min", "age_max"].some((name) => form.elements[name].value);

/** The address always says what is shown, so that it can be sent to a colleague. */
function remember(q) {
  const address = new URL(location.href);
  if (q) address.searchParams.set("q", q);
  else address.searchParams.delete("q");
  address.searchParams.delete("cursor");
  history.replaceState(null, "", address);
}

input.addEventListener("input", () => {
  clearTimeout(timer);
  const q = input.value.trim();
  // The search index knows no ages; with an age limit the form asks the table itself.
  if (hasAges()) return;
  if (q.length < 2) {
    aborter?.abort();
    if (usual) restore();
    if (!q) leaveAnswers();
    return;
  }
  timer = setTimeout(() => {
    remember(q);
    find(q);
  }, PAUSE);
});

/** An emptied box shows everybody; when the page itself was an answer, everybody has to be fetched. */
function leaveAnswers() {
  const came = new URL(location.href).searchParams.has("q");
  remember("");
  status.textContent = "";
  if (came) refresh("students").catch(() => {});
}

form.addEventListener("submit", (event) => {
  const q = input.value.trim();
  if (hasAges() || q.length < 2) return;
  event.preventDefault();
  clearTimeout(timer);
  remember(q);
  find(q);
});

form.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown" && event.target === input) move(event, -1, 1);
});
document.addEventListener("keydown", (event) => {
  const at = $$("#student-rows tr").indexOf(event.target.closest?.("#student-rows tr"));
  if (at < 0) return;
  if (event.key === "ArrowDown") move(event, at, 1);
  else if (event.key === "ArrowUp") move(event, at, -1);
  else if (event.key === "Enter" && event.target.matches("tr")) $("a", event.target)?.click();
  else if (event.key === "Escape" || (event.key.length === 1 && !event.ctrlKey && !event.metaKey && event.target.matches("tr"))) input.focus();
});

function move(event, at, step) {
  const rows = $$("#student-rows tr");
  if (!rows.length) return;
  event.preventDefault();
  if (at + step < 0) input.focus();
  else {
    const next = rows[Math.min(at + step, rows.length - 1)];
    next.tabIndex = -1;
    next.focus();
  }
}

function tell(n) {
  news += n;
  if (news <= 0) return;
  fresh.hidden = false;
  fresh.textContent = tn("{n} new · show", "{n} new · show", news);
}

fresh.addEventListener("click", async () => {
  const next = await refresh("students");
  usual = null;
  news = 0;
  fresh.hidden = true;
  const total = $("[data-total]", next);
  if (total) $("[data-total]").textContent = total.textContent;
  input.focus({ preventScroll: true });
});

listen("students", {
  event: (name, data) => {
    if (name === "students.batch.created") tell(data.count);
    else if (name === "students.student.created") tell(1);
    else if (name === "students.batch.removed") {
      fresh.hidden = false;
      fresh.textContent = t("The list has changed · show");
    }
  },
  gap: () => {
    fresh.hidden = false;
    fresh.textContent = t("The list has changed · show");
  },
});

if (input.value.trim().length > 1 && !hasAges() && !$("#student-rows")) find(input.value.trim());
