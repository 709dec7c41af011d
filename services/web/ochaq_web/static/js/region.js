// Refreshing parts of a page from the server's own HTML: [data-live-region] elements are replaced, nothing else moves.
import { page } from "./http.js";
import { showTimes } from "./times.js";

const wanted = new Set();
let running = null;

/** Fetches this address again and swaps the named regions. A later call takes over what an earlier one had not got yet. */
export async function refresh(...names) {
  for (const name of names) wanted.add(name);
  running?.abort();
  running = new AbortController();
  const fresh = await page(location.href, running.signal);
  running = null;
  for (const name of wanted) {
    const next = fresh.querySelector(`[data-live-region="${name}"]`);
    if (next) swap(document.querySelector(`[data-live-region="${name}"]`), next);
  }
  wanted.clear();
  return fresh;
}

/** Every region of this page, by name. */
export const regions = () => [...document.querySelectorAll("[data-live-region]")].map((region) => region.dataset.liveRegion);

/** Puts `next` where `old` is. What the reader had typed, ticked, opened or focused there stays so, by its id. */
export function swap(old, next) {
  if (!old) return;
  const inside = old.contains(document.activeElement) ? document.activeElement.id : "";
  const touched = [...old.querySelectorAll("details[id][open], input[id]:not([type=hidden], [type=file]), textarea[id]")];
  old.replaceWith(next);
  for (const before of touched) restore(before);
  showTimes(next);
  if (inside) document.getElementById(inside)?.focus();
  next.dispatchEvent(new CustomEvent("region", { bubbles: true }));
}

function restore(before) {
  const now = document.getElementById(before.id);
  if (!now || now.tagName !== before.tagName) return;
  if (before.tagName === "DETAILS") now.open = true;
  else if (before.type === "checkbox" || before.type === "radio") now.checked = before.checked;
  else if (before.value !== before.defaultValue) now.value = before.value;
}

const LONGEST_WAIT = 20000;
// Aborted: a later call took over. Refused: asking again will not change the answer.
const isFinal = (error) => error.name === "AbortError" || (error.problem?.status >= 400 && error.problem.status < 500 && error.problem.status !== 429);

/** `action` for events that come in bursts: once now-ish, never more often than every `pause` milliseconds. One that
 *  fails is tried again, ever more slowly: the event that asked for it comes only once, and a page that missed it would
 *  show a job that ended as running for good. */
export function calmly(action, pause = 400) {
  let timer = 0;
  let failures = 0;
  const later = (wait) => {
    timer = setTimeout(async () => {
      timer = 0;
      try {
        await action();
        failures = 0;
      } catch (error) {
        if (timer || isFinal(error)) return;
        failures += 1;
        later(Math.min(LONGEST_WAIT, 1000 * 2 ** failures));
      }
    }, wait);
  };
  return () => {
    if (timer && failures) {
      clearTimeout(timer);
      timer = 0;
    }
    if (!timer) later(pause);
  };
}
