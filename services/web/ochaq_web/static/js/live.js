// One socket for the whole tab. Topics keep their position, so that a reconnect or a reload replays what was missed:
// nothing is lost and nothing is shown twice. See "realtime" in the contract.
import { user } from "./client.js";

const KEY = `live:${user}`;
const FIRST_WAIT = 400;
const LONGEST_WAIT = 15000;

const topics = new Map(); // name → {position, seen, listeners}
const watchers = new Set();
let socket = null;
let attempts = 0;
let heartbeat = 25000;
let beatTimer = 0;
let retryTimer = 0;
let lastHeard = 0;
let state = "closed"; // closed | open | signed-out

function remembered() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) || {};
  } catch {
    return {};
  }
}

function remember() {
  const positions = {};
  for (const [name, topic] of topics) if (topic.position !== null) positions[name] = topic.position;
  try {
    sessionStorage.setItem(KEY, JSON.stringify(positions));
  } catch {
    // Without storage a reload starts at the present, which the page just fetched anyway.
  }
}

function topicOf(name) {
  if (!topics.has(name)) topics.set(name, { position: name === "user" ? remembered()[name] ?? null : null, seen: new Set(), listeners: new Set() });
  return topics.get(name);
}

function setState(next) {
  if (state === next) return;
  state = next;
  for (const watch of watchers) watch(state);
}

/** Calls `watch` with "open", "closed" or "signed-out", now and whenever it changes. */
export function watchState(watch) {
  watchers.add(watch);
  watch(state);
}

/** Listens to a topic. `event(name, data, {time, id})` per event; `gap()` when history was lost: fetch afresh then;
 *  `start()` when following begins at the present, so that what happened since the page was made is not replayed. */
export function listen(name, { event, gap = () => {}, start = () => {} }) {
  const fresh = !topics.has(name);
  topicOf(name).listeners.add({ event, gap, start });
  if (!user) return;
  if (!socket) connect();
  else if (fresh && socket.readyState === WebSocket.OPEN) subscribe(name);
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function subscribe(name) {
  const { position } = topicOf(name);
  send({ type: "subscribe", topic: name, ...(position === null ? {} : { after: position }) });
}

function connect() {
  if (!user || state === "signed-out") return;
  clearTimeout(retryTimer);
  socket = new WebSocket(`${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}/ws/`);
  const mine = socket;
  mine.addEventListener("open", () => {
    attempts = 0;
    setState("open");
    for (const name of topics.keys()) subscribe(name);
    keepAlive();
  });
  mine.addEventListener("message", ({ data }) => {
    lastHeard = Date.now();
    receive(JSON.parse(data));
  });
  mine.addEventListener("close", ({ code }) => mine === socket && closed(code));
}

function closed(code) {
  clearInterval(beatTimer);
  socket = null;
  if (code === 4401) {
    setState("signed-out");
    return;
  }
  setState("closed");
  // A server that restarts must not meet all its readers in the same instant.
  const ceiling = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** attempts);
  attempts += 1;
  retryTimer = setTimeout(connect, ceiling / 2 + (Math.random() * ceiling) / 2);
}

function keepAlive() {
  clearInterval(beatTimer);
  lastHeard = Date.now();
  beatTimer = setInterval(() => {
    if (Date.now() - lastHeard > 2.5 * heartbeat) socket?.close();
    else send({ type: "ping" });
  }, heartbeat);
}

function receive(message) {
  if (message.type === "welcome") {
    heartbeat = (message.heartbeat_s || 25) * 1000;
    keepAlive();
  } else if (message.type === "subscribed") subscribed(message);
  else if (message.type === "event") deliver(message);
}

function subscribed({ topic: name, position, recovered }) {
  const topic = topicOf(name);
  const first = topic.position === null;
  const gap = !first && recovered === false;
  if (first || gap) {
    topic.position = position;
    topic.seen.clear();
    remember();
  }
  for (const listener of topic.listeners) {
    if (gap) listener.gap();
    else if (first) listener.start();
  }
}

function deliver({ topic: name, id, name: what, time, data }) {
  const topic = topicOf(name);
  if (id !== null && id !== undefined) {
    if (topic.seen.has(id) || (topic.position !== null && id <= topic.position)) return;
    topic.seen.add(id);
    advance(topic);
  }
  for (const listener of topic.listeners) listener.event(what, data, { time, id });
}

/** The position is the end of the unbroken run: an id behind a hole must not hide the ones before it from a replay. */
function advance(topic) {
  if (topic.position === null) return;
  while (topic.seen.delete(topic.position + 1)) topic.position += 1;
  remember();
}

function hurry() {
  if (socket || state === "signed-out" || !topics.size) return;
  attempts = 0;
  connect();
}
addEventListener("online", hurry);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && hurry());
addEventListener("pagehide", () => {
  const last = socket;
  socket = null;
  clearTimeout(retryTimer);
  clearInterval(beatTimer);
  last?.close(1000);
});
addEventListener("pageshow", ({ persisted }) => persisted && hurry());
