// "2 minutes ago" for recent moments; older ones keep the date that the server wrote.
import { language } from "./client.js";

const words = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86400, "hour", 3600],
];

export function ago(moment) {
  const seconds = (Date.now() - moment.getTime()) / 1000;
  if (seconds < 10 && seconds > -60) return words.format(0, "second");
  const step = STEPS.find(([limit]) => seconds < limit);
  return step && seconds > 0 ? words.format(-Math.floor(seconds / step[2]), step[1]) : null;
}

export function showTimes(root = document) {
  for (const node of root.querySelectorAll("time[data-when]")) {
    const text = ago(new Date(node.dateTime));
    if (text) node.textContent = text;
  }
}

showTimes();
setInterval(showTimes, 20000);
