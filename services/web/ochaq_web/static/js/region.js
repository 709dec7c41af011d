// Refreshing parts of a page from the server's own HTML: [data-live-region] elements are replaced, nothing else moves.
import { page } from "./http.js";
import { showTimes } from "./times.js";

let running = null;

/** Fetches this address again and swaps the named regions; calls made meanwhile end in one more fetch. */
export async function refresh(...names) {
  running?.abort();
  running = new AbortController();
  const fresh = await page(location.href, running.signal);
  running = null;
  for (const name of names) {
    const old = document.querySelector(`[data-live-region="${name}"]`);
    const next = fresh.querySelector(`[data-live-region="${name}"]`);
    if (old && next) swap(old, next);
  }
  return fresh;
}

function swap(old, next) {
  const inside = old.contains(document.activeElement) ? document.activeElement.id : "";
  old.replaceWith(next);
  showTimes(next);
  if (inside) document.getElementById(inside)?.focus();
  next.dispatchEvent(new CustomEvent("region", { bubbles: true }));
}

/** `refresh` for events that come in bursts: once now-ish, never more often than every `pause` milliseconds. */
export function calmly(action, pause = 400) {
  let timer = 0;
  return () => {
    if (timer) return;
    timer = setTimeout(() => {
      timer = 0;
      // A failed refresh leaves what is there; the next event or the offline notice takes over.
      Promise.resolve(action()).catch(() => {});
    }, pause);
  };
}
