// Amounts as exact fractions: 1 1/2 cups for four is 3/8 cup for one, not 0.38.
import { language } from "./client.js";
import { el } from "./dom.js";

const gcd = (a, b) => (b ? gcd(b, a % b) : a);
const make = (n, d) => ({ n: n / gcd(n, d), d: d / gcd(n, d) });

/** "1 1/2", "3/4", "0.125" or "2" as {n, d}; null for anything else ("a pinch"). */
export function parse(text) {
  const mixed = /^\s*(?:(\d+)\s+)?(\d+)\s*[/⁄]\s*(\d+)\s*$/.exec(text);
  if (mixed && Number(mixed[3])) return make(Number(mixed[1] || 0) * Number(mixed[3]) + Number(mixed[2]), Number(mixed[3]));
  const plain = /^\s*(\d+)(?:[.,](\d+))?\s*$/.exec(text);
  if (!plain) return null;
  const decimals = (plain[2] || "").replace(/0+$/, "");
  const d = 10 ** decimals.length;
  return make(Number(plain[1] + decimals), d);
}

export const times = (a, n, d) => make(a.n * n, a.d * d);

// Kitchens have cups and spoons for these parts; anything finer is said with a decimal point.
const SPOONS = new Set([1, 2, 3, 4, 5, 6, 8, 16]);
const METRIC = /^(g|kg|mg|ml|cl|dl|l|gr|gram|grams|gram|litre|liter|millilitre)s?\.?$/i;

/** {whole, upper, lower} to be set as a fraction, or {text} where a decimal number reads better. */
export function shape({ n, d }, unit) {
  if (d === 1) return { text: number(n) };
  if (METRIC.test(unit) || !SPOONS.has(d)) return { text: number(n / d) };
  return { whole: Math.floor(n / d), upper: n % d, lower: d };
}

function number(value) {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits }).format(value);
}

export const asText = ({ text, whole, upper, lower }) => text ?? `${whole ? `${whole} ` : ""}${upper}/${lower}`;

export function asNodes(amount) {
  if (amount.text !== undefined) return [amount.text];
  return [amount.whole ? `${amount.whole} ` : "", el("span", { class: "fraction" }, el("sup", {}, String(amount.upper)), "⁄", el("sub", {}, String(amount.lower)))];
}
