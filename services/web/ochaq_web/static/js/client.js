// What the server told this page about its reader: one JSON element, read once.
const facts = JSON.parse(document.getElementById("client")?.textContent || "{}");

export const user = facts.user || "";
export const staff = Boolean(facts.staff);
export const language = facts.language || "en";
export const iconSheet = facts.icons || "";
export const csrfToken = () => document.querySelector('meta[name="csrf-token"]')?.content || "";

const messages = facts.messages || {};
const plurals = new Intl.PluralRules(language);
// gettext keeps plural forms in this order; a language has only some of them.
const ORDER = ["zero", "one", "two", "few", "many", "other"];
const categories = ORDER.filter((name) => plurals.resolvedOptions().pluralCategories.includes(name));

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));

/** A string in the reader's language, with {names} filled in. */
export function t(text, values = {}) {
  return fill(messages[text] || text, values);
}

/** The same with the plural form that `n` asks for. */
export function tn(one, many, n, values = {}) {
  const forms = messages[one];
  const english = n === 1 ? one : many;
  const text = Array.isArray(forms) ? forms[Math.min(categories.indexOf(plurals.select(n)), forms.length - 1)] : english;
  return fill(text || english, { n: figure(n), ...values });
}

const grouped = new Intl.NumberFormat(language);
export const figure = (n) => grouped.format(n);

const short = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });
/** A length of time in its two largest units. */
export function duration(seconds) {
  if (seconds < 0.1) return t("{n} ms", { n: Math.round(seconds * 1000) });
  if (seconds < 60) return t("{n} s", { n: short.format(seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)) });
  const minutes = Math.floor(Math.round(seconds) / 60);
  if (minutes < 60) return t("{m} min {s} s", { m: minutes, s: Math.round(seconds) % 60 });
  return t("{h} h {m} min", { h: Math.floor(minutes / 60), m: minutes % 60 });
}

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
export function bytes(n) {
  const step = n > 0 ? Math.min(Math.floor(Math.log(n) / Math.log(1024)), UNITS.length - 1) : 0;
  const format = { style: "unit", unit: UNITS[step], unitDisplay: "short", maximumFractionDigits: step ? 1 : 0 };
  return new Intl.NumberFormat(language, format).format(n / 1024 ** step);
}
