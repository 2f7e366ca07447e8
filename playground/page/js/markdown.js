// Discord's markdown as elements.

import { h } from "./dom.js";
import { messageLink } from "./jump.js";
import { state, userNamed } from "./store.js";

const INLINE =
  /\\([\\*_~`|<>#[\]()-])|```(?:[\w+-]*\n)?([\s\S]+?)```|`([^`]+)`|\*\*([\s\S]+?)\*\*|__([\s\S]+?)__|~~([\s\S]+?)~~|\|\|([\s\S]+?)\|\||\*(\S[\s\S]*?)\*|\b_(\S[\s\S]*?)_\b|\[([^\]]+)\]\((https?:\/\/[^\s)]+)\)|<?(https?:\/\/[^\s<>]+[^\s<>.,:;"')\]])>?|<@!?(\d+)>|<@&(\d+)>|<#(\d+)>|<t:(-?\d+)(?::([tTdDfFR]))?>|<\/([^:>]+):\d+>|@(everyone|here)\b/g;

const STYLES = {
  t: { timeStyle: "short" },
  T: { timeStyle: "medium" },
  d: { dateStyle: "short" },
  D: { dateStyle: "long" },
  f: { dateStyle: "long", timeStyle: "short" },
  F: { dateStyle: "full", timeStyle: "short" },
};

export function relative(seconds) {
  const left = seconds - Date.now() / 1000;
  const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [unit, size] = units.find(([, length]) => Math.abs(left) >= length) ?? units[3];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.round(left / size), unit);
}

function time(seconds, style) {
  const when = new Date(seconds * 1000);
  const title = when.toLocaleString("en", STYLES.F);
  if (style === "R") return h("time", { className: "pill", title, dataset: { relative: seconds } }, relative(seconds));
  return h("time", { className: "pill", title, dateTime: when.toISOString() }, when.toLocaleString("en", STYLES[style ?? "f"]));
}

const pill = (text) => h("span", { className: "pill mention" }, text);
const link = (url, ...children) => h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, ...children);

function spoiler(children) {
  const hidden = h("button", { type: "button", className: "spoiler-text", "aria-label": "Show spoiler" }, ...children);
  hidden.addEventListener("click", () => hidden.classList.add("open"));
  return hidden;
}

export function inline(text) {
  const nodes = [];
  let last = 0;
  for (const match of text.matchAll(INLINE)) {
    if (match.index > last) nodes.push(text.slice(last, match.index));
    last = match.index + match[0].length;
    const [, escaped, block, code, bold, under, strike, hidden, slanted, lined, label, target, url, user, role, channel] = match;
    const [when, style, command, everyone] = match.slice(16);
    if (escaped) nodes.push(escaped);
    else if (block) nodes.push(h("pre", {}, h("code", {}, block)));
    else if (code) nodes.push(h("code", {}, code));
    else if (bold) nodes.push(h("strong", {}, inline(bold)));
    else if (under) nodes.push(h("u", {}, inline(under)));
    else if (strike) nodes.push(h("s", {}, inline(strike)));
    else if (hidden) nodes.push(spoiler(inline(hidden)));
    else if (slanted || lined) nodes.push(h("em", {}, inline(slanted ?? lined)));
    else if (label) nodes.push(link(target, ...inline(label)));
    else if (url) nodes.push(linkToMessage(url) ?? link(url, url));
    else if (user) nodes.push(pill(`@${userNamed(user) ?? "unknown-user"}`));
    else if (role) nodes.push(pill(`@${state.roles.find((known) => known.id === role)?.name ?? "unknown-role"}`));
    else if (channel) nodes.push(pill(`#${state.channels.find((known) => known.id === channel)?.name ?? "unknown"}`));
    else if (when) nodes.push(time(Number(when), style));
    else if (command) nodes.push(pill(`/${command}`));
    else if (everyone) nodes.push(pill(`@${everyone}`));
  }
  if (last < text.length) nodes.push(text.slice(last));
  return nodes;
}

/** Turn a link to a message of this server into a jump on this page, as Discord's client does. */
function linkToMessage(url) {
  const match = /^https:\/\/(?:\w+\.)?discord\.com\/channels\/(?:\d+|@me)\/(\d+)\/(\d+)$/.exec(url);
  if (!match) return null;
  const channel = state.channels.find((known) => known.id === match[1]);
  const place = channel?.direct ? "direct messages" : `#${channel?.name ?? "unknown"}`;
  return messageLink(match[2], match[1], { className: "pill mention" }, `${place} › message`);
}

/** The start of a text without anything clickable in it, as a reply quotes it. */
export function excerpt(text) {
  const line = h("span", {}, inline(text.split("\n")[0]));
  for (const hidden of line.querySelectorAll(".spoiler-text")) hidden.textContent = "▇▇▇";
  return line.textContent.slice(0, 120);
}

/** Render a whole text: headings, quotes, lists and small print by line, the rest inline. */
export function markdown(text) {
  const root = h("div", { className: "markdown" });
  for (const piece of text.split(/(```[\s\S]+?```)/)) {
    if (piece.startsWith("```")) {
      root.append(...inline(piece));
      continue;
    }
    for (const line of piece.split("\n")) {
      const [, mark, rest] = /^(#{1,3}|-#|>|[-*]) (.+)$/.exec(line) ?? [];
      if (mark === "-#") root.append(h("p", { className: "small" }, inline(rest)));
      else if (mark === ">") root.append(h("blockquote", {}, inline(rest)));
      else if (mark === "-" || mark === "*") root.append(h("p", { className: "item" }, "• ", inline(rest)));
      else if (mark) root.append(h("p", { className: `heading level-${mark.length}` }, inline(rest)));
      else if (line) root.append(h("p", {}, inline(line)));
    }
  }
  return root;
}

/** Keep relative times such as "in 3 minutes" up to date. */
export function keepRelativeTimes() {
  setInterval(() => {
    for (const element of document.querySelectorAll("[data-relative]")) {
      element.textContent = relative(Number(element.dataset.relative));
    }
  }, 10_000);
}
