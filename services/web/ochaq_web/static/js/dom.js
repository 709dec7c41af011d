// Building elements from data. Text only ever becomes text: nothing here parses HTML that came with data.
import { iconSheet } from "./client.js";

const SVG = "http://www.w3.org/2000/svg";

/** el("p", {class: "fine"}, "text", child): attributes by name, `on…` as listeners, the rest as children. */
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(SVG, "use");
  use.setAttribute("href", `${iconSheet}#${name}`);
  svg.append(use);
  return svg;
}

/** A ring of progress that shows `percent`. */
export function ring(percent) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "ring");
  svg.setAttribute("viewBox", "0 0 36 36");
  svg.setAttribute("aria-hidden", "true");
  for (const name of ["ring-track", "ring-value"]) {
    const circle = document.createElementNS(SVG, "circle");
    for (const [key, value] of Object.entries({ class: name, cx: 18, cy: 18, r: 16, pathLength: 100 })) circle.setAttribute(key, value);
    svg.append(circle);
  }
  setRing(svg, percent);
  return svg;
}

export function setRing(svg, percent) {
  svg.querySelector(".ring-value")?.setAttribute("stroke-dasharray", `${percent} 100`);
}

/** Text with <mark> from a server that escapes everything else: only text and marks are taken over. */
export function marked(html) {
  const parsed = new DOMParser().parseFromString(html, "text/html").body;
  return [...parsed.childNodes].map((node) => (node.nodeName === "MARK" ? el("mark", {}, node.textContent) : node.textContent));
}

export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
