// Files: drop or choose, a bar per file, equal content told as such, and status that moves by itself.
import { bytes, csrfToken, t } from "./client.js";
import { confirmDanger } from "./dialog.js";
import { $, el, icon } from "./dom.js";
import { problemFrom, request } from "./http.js";
import { listen } from "./live.js";
import { calmly, refresh } from "./region.js";
import { toast } from "./toast.js";

const AT_ONCE = 3;
const drop = $("[data-drop]");
const form = $("[data-upload-form]");
const chooser = $("#upload-file");
const list = $("[data-uploads]");
const waiting = [];
let running = 0;

const look = () => refresh("files", "actions");
const again = calmly(look, 300);
const pageOf = (folder) => (folder ? `/files/?folder=${encodeURIComponent(folder)}` : "/files/");

class Upload {
  constructor(file, folder) {
    Object.assign(this, { file, folder, key: crypto.randomUUID?.() || `${Date.now()}-${Math.random()}` });
    this.picture = icon("upload");
    this.bar = el("progress", { max: 100, value: 0, "aria-label": t("Upload of {name}", { name: file.name }) });
    this.note = el("p", { class: "upload-note" }, t("waiting"));
    this.button = el("button", { class: "tool", type: "button", "aria-label": t("Cancel: {job}", { job: file.name }), onclick: () => this.stop() }, icon("close"));
    this.row = el("li", { class: "upload" }, this.picture, el("span", { class: "upload-name" }, file.name, " ", el("span", { class: "fine" }, bytes(file.size))), this.button, this.bar, this.note);
    list.append(this.row);
    list.hidden = false;
  }

  send() {
    return new Promise((resolve) => {
      const body = new FormData();
      body.append("folder", this.folder);
      body.append("file", this.file);
      this.xhr = new XMLHttpRequest();
      this.xhr.open("POST", "/api/v1/files/");
      for (const [name, value] of Object.entries({ Accept: "application/json", "X-CSRFToken": csrfToken(), "Idempotency-Key": this.key })) this.xhr.setRequestHeader(name, value);
      this.xhr.upload.addEventListener("progress", (event) => event.lengthComputable && this.progress(event.loaded, event.total));
      this.xhr.addEventListener("loadend", () => {
        this.end();
        resolve();
      });
      this.began = performance.now();
      this.xhr.send(body);
    });
  }

  progress(sent, total) {
    this.bar.value = (100 * sent) / total;
    const rate = (sent * 1000) / Math.max(1, performance.now() - this.began);
    this.note.textContent = sent < total ? t("{sent} of {total} · {rate} a second", { sent: bytes(sent), total: bytes(total), rate: bytes(rate) }) : t("arrived, being stored");
  }

  end() {
    const { status, responseText } = this.xhr;
    if (status === 201) this.close("done", "check", t("Stored in {folder}", { folder: this.folder || t("Files") }));
    else if (status === 200) this.twin(JSON.parse(responseText));
    else if (!this.stopped) this.fail(problemFrom(status, responseText, this.xhr.getResponseHeader("X-Request-Id") || ""));
  }

  twin(file) {
    const old = file.duplicate_of || file;
    const path = [old.folder, old.name].filter(Boolean).join("/");
    this.close("twin", "link", t("Already in the library:"), " ", el("a", { href: `${pageOf(old.folder)}#file-${old.id}` }, path));
  }

  fail(problem) {
    const retry = el("button", { class: "button quiet small", type: "button", onclick: () => this.retry() }, t("Try again"));
    const said = problem.errors?.map((error) => error.detail).join(" ") || problem.detail || problem.title;
    this.close("failed", "alert", `${said} `, problem.request_id ? el("code", {}, problem.request_id) : "", " ", retry);
  }

  retry() {
    this.row.remove();
    enqueue([this.file], this.folder);
  }

  stop() {
    this.stopped = true;
    this.xhr?.abort();
    this.row.remove();
    list.hidden = !list.children.length;
  }

  close(kind, picture, ...note) {
    this.row.classList.add(kind);
    this.picture.replaceWith(icon(picture));
    this.bar.remove();
    this.note.replaceChildren(...note);
    this.button.setAttribute("aria-label", t("Close"));
    this.button.replaceWith(el("button", { class: "tool", type: "button", "aria-label": t("Close"), onclick: () => this.stop() }, icon("close")));
  }
}

function enqueue(files, folder) {
  waiting.push(...[...files].map((file) => new Upload(file, folder)));
  while (running < AT_ONCE && waiting.length) work();
}

async function work() {
  running += 1;
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (next.stopped) continue;
    await next.send();
    again();
  }
  running -= 1;
}

async function remove({ dataset: { remove: id, name } }) {
  const sure = await confirmDanger({ title: t("Remove {name}?", { name }), text: t("It leaves this folder for everybody who can see it."), action: t("Remove") });
  if (!sure) return;
  await request(`/api/v1/files/${id}`, { method: "DELETE" });
  toast({ kind: "success", title: t("{name} is removed", { name }) });
  await look();
}

document.addEventListener("click", ({ target }) => {
  const button = target.closest?.("[data-remove]");
  // A refusal has been shown already; the file is simply still there.
  if (button) remove(button).catch(() => {});
});

const folderNow = () => $("#upload-folder").value.trim().replace(/^\/+|\/+$/g, "");

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (chooser.files.length) enqueue(chooser.files, folderNow());
  chooser.value = "";
});
chooser.addEventListener("change", () => {
  enqueue(chooser.files, folderNow());
  chooser.value = "";
});
// A plain form sends one file at a time; with bars for each, several at once are welcome.
chooser.multiple = true;

for (const name of ["dragenter", "dragover"]) {
  drop.addEventListener(name, (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
}
drop.addEventListener("dragleave", (event) => !drop.contains(event.relatedTarget) && drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  enqueue(event.dataTransfer.files, folderNow());
});
// A file dropped beside the box must not make the browser leave the page.
for (const name of ["dragover", "drop"]) addEventListener(name, (event) => event.preventDefault());

listen("user", { event: (name) => name.startsWith("files.file.") && again(), gap: again });
