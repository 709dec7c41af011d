// The one way scripts talk to the server: token, JSON, problems, and a note with the request id when it fails.
import { csrfToken, t } from "./client.js";
import { toast } from "./toast.js";

export class ProblemError extends Error {
  constructor(problem) {
    super(problem.detail || problem.title);
    this.problem = problem;
  }
}

/** The problem an answer carries, or one made from its status when a proxy answered something else. */
export function problemFrom(status, text, requestId = "") {
  try {
    const body = JSON.parse(text);
    if (body && body.status) return body;
  } catch {
    // Not JSON: say what the status says.
  }
  return { status, title: status ? t("The server answered {status}", { status }) : t("The server does not answer"), request_id: requestId };
}

export function showProblem(problem) {
  const text = problem.errors?.length ? problem.errors.map((error) => error.detail).join(" ") : problem.detail || "";
  toast({ kind: "error", title: problem.title || t("Something went wrong"), text: text === problem.title ? "" : text, request: problem.request_id || "" });
}

/** JSON from `url`. Rejects with ProblemError, which it has shown unless `quiet`; an abort passes through unshown. */
export async function request(url, { method = "GET", json, signal, quiet = false, headers = {} } = {}) {
  const options = { method, signal, credentials: "same-origin", headers: { Accept: "application/json", ...headers } };
  if (method !== "GET") options.headers["X-CSRFToken"] = csrfToken();
  if (json !== undefined) {
    options.body = JSON.stringify(json);
    options.headers["Content-Type"] = "application/json";
  }
  try {
    const answer = await fetch(url, options);
    const text = await answer.text();
    if (!answer.ok) throw new ProblemError(problemFrom(answer.status, text, answer.headers.get("X-Request-Id") || ""));
    return text ? JSON.parse(text) : null;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    const failure = error instanceof ProblemError ? error : new ProblemError(problemFrom(0, ""));
    if (!quiet) showProblem(failure.problem);
    throw failure;
  }
}

/** A page of ours as a document, for refreshing parts of this one. */
export async function page(url, signal) {
  const answer = await fetch(url, { signal, credentials: "same-origin", headers: { Accept: "text/html" } });
  if (!answer.ok) throw new ProblemError(problemFrom(answer.status, ""));
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}
