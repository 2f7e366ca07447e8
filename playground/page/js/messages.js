// The channel's messages as they arrive, change and disappear.

import { components } from "./components.js";
import { byId, formatBytes, h } from "./dom.js";
import { messageLink } from "./jump.js";
import { excerpt, inline, markdown } from "./markdown.js";
import { attempt, openMenu } from "./menu.js";
import { openPicture } from "./modal.js";
import { samples } from "./samples.js";
import { emit, on, state } from "./store.js";

const FACES = 6;
const GROUP_SECONDS = 7 * 60;

function face(author) {
  const index = author.bot ? 0 : 1 + (state.members.findIndex((member) => member.id === author.id) % (FACES - 1));
  return h("img", { className: "face", src: `/embed/avatars/${index}.png`, alt: "", width: 40, height: 40 });
}

function clock(seconds) {
  const when = new Date(seconds * 1000);
  return h("time", { dateTime: when.toISOString(), title: when.toLocaleString() }, when.toLocaleTimeString([], { timeStyle: "short" }));
}

function reference(message) {
  if (message.reference === null || (message.interaction && message.type === 19 && message.interaction.type === 2)) return null;
  const { reference: target } = message;
  if (!target.exists) return h("p", { className: "reference" }, "↪ ", h("em", {}, "Original message was deleted"));
  const text = target.content ? excerpt(target.content) : "a picture";
  return h("p", { className: "reference" }, "↪ ", messageLink(target.message_id, target.channel_id, {}, h("strong", {}, target.author), ` ${text}`));
}

function used(message) {
  if (!message.interaction?.name || message.interaction.type !== 2 || message.type === 19) return null;
  const slash = message.type === 20 ? "/" : "";
  return h("p", { className: "reference" }, h("strong", {}, message.interaction.user), " used ", h("span", { className: "pill" }, `${slash}${message.interaction.name}`));
}

function picture(attachment) {
  const alt = attachment.description ?? "";
  const image = h("img", {
    className: "picture",
    src: attachment.url,
    alt,
    loading: "lazy",
    width: attachment.width,
    height: attachment.height,
    onload: () => keepAtEnd(),
  });
  const about = alt ? `Enlarge: ${alt}` : `Enlarge ${attachment.filename}`;
  const button = h("button", { type: "button", className: "frame", "aria-label": about, dataset: { attachment: attachment.id } }, image);
  const cover = h("span", { className: "cover" }, "Spoiler");
  button.addEventListener("click", () => {
    if (!cover.isConnected) openPicture(attachment.url, alt);
    cover.remove();
    button.classList.remove("hidden-picture");
    button.ariaLabel = about;
  });
  if (attachment.spoiler) {
    button.classList.add("hidden-picture");
    button.ariaLabel = "Show the spoiler";
    button.append(cover);
  }
  return button;
}

function attachments(message) {
  return message.attachments
    .filter((attachment) => !attachment.embedded)
    .map((attachment) =>
      attachment.content_type?.startsWith("image/") && attachment.width
        ? picture(attachment)
        : h("a", { className: "file", href: attachment.url, download: attachment.filename, dataset: { attachment: attachment.id } }, `${attachment.filename} `, h("small", {}, formatBytes(attachment.size))),
    );
}

function embed(body) {
  const colour = body.color === undefined ? null : `#${body.color.toString(16).padStart(6, "0")}`;
  const card = h(
    "div",
    { className: "embed" },
    body.thumbnail ? h("img", { className: "thumbnail", src: body.thumbnail.url, alt: "" }) : null,
    body.author?.name ? h("p", { className: "small" }, body.author.name) : null,
    body.title ? h("p", { className: "heading level-3" }, body.url ? h("a", { href: body.url }, inline(body.title)) : inline(body.title)) : null,
    body.description ? markdown(body.description) : null,
    body.fields?.length
      ? h("dl", {}, body.fields.map((field) => h("div", { className: field.inline ? "inline" : "" }, h("dt", {}, inline(field.name)), h("dd", {}, inline(field.value)))))
      : null,
    body.image ? h("img", { className: "picture", src: body.image.url, alt: body.image.description ?? "", onload: () => keepAtEnd() }) : null,
    body.footer?.text ? h("p", { className: "small" }, body.footer.text) : null,
  );
  if (colour) card.style.setProperty("--edge", colour);
  return card;
}

function text(message) {
  const element = markdown(message.content);
  if (message.edited_at) (element.lastElementChild ?? element).append(h("small", { className: "edited" }, "(edited)"));
  return element;
}

function only(message) {
  const dismiss = () => attempt("delete", { message_id: message.id });
  return h("p", { className: "only" }, "Only you can see this · ", h("button", { type: "button", className: "linkish", onclick: dismiss }, "Dismiss message"));
}

function render(message) {
  const more = h("button", { type: "button", className: "more", "aria-label": "Message menu", "aria-haspopup": "menu", "aria-expanded": "false" }, "⋯");
  more.addEventListener("click", () => {
    const box = more.getBoundingClientRect();
    openMenu(message, more, box.left, box.bottom);
  });
  const pinged = message.author.name !== state.member && (message.mentions.includes(state.member) || message.mention_everyone);
  const article = h(
    "article",
    { id: `message-${message.id}`, className: "message", tabIndex: -1, dataset: { id: message.id, author: message.author.id } },
    reference(message) ?? used(message),
    face(message.author),
    h(
      "header",
      {},
      h("strong", { className: "author" }, message.author.name),
      message.author.bot ? h("span", { className: "tag" }, "APP") : null,
      clock(message.created_at),
    ),
    h(
      "div",
      { className: "body" },
      message.loading ? h("p", { className: "thinking" }, `${message.author.name} is thinking`, h("span", { "aria-hidden": "true" }, "…")) : null,
      message.content ? text(message) : null,
      h("div", { className: `pictures${message.attachments.length > 1 ? " many" : ""}` }, attachments(message)),
      message.embeds.map(embed),
      h("div", { className: "components" }, components(message, message.components)),
      message.ephemeral ? only(message) : null,
    ),
    more,
  );
  article.classList.toggle("pinged", pinged);
  article.classList.toggle("ephemeral", message.ephemeral);
  article.addEventListener("contextmenu", (event) => {
    if (event.target.closest("a, input, textarea, select")) return;
    event.preventDefault();
    const box = more.getBoundingClientRect();
    const [x, y] = event.clientX || event.clientY ? [event.clientX, event.clientY] : [box.left, box.bottom];
    openMenu(message, more, x, y);
  });
  return article;
}

const list = () => byId("messages");
let atEnd = true;
let heightAtEnd = 0;

function keepAtEnd() {
  if (!atEnd) return;
  list().scrollTop = list().scrollHeight;
  heightAtEnd = list().scrollHeight;
}

/** Keep the position after scrolling up; at the end, follow growing content such as a picture that has loaded. */
function onScroll() {
  if (atEnd && list().scrollHeight !== heightAtEnd) keepAtEnd();
  else atEnd = list().scrollHeight - list().scrollTop - list().clientHeight < 80;
  byId("newest").hidden = atEnd;
}

/** Group an author's messages in quick succession under one header, as Discord's client does. */
function group() {
  let before = null;
  for (const message of state.messages) {
    const element = byId(`message-${message.id}`);
    const continued =
      before?.author.id === message.author.id &&
      message.created_at - before.created_at < GROUP_SECONDS &&
      !element?.querySelector(".reference");
    element?.classList.toggle("continued", Boolean(continued));
    before = message;
  }
}

function renderAll() {
  list().replaceChildren(
    h("div", { className: "beginning" }, h("h2", {}, state.channel.startsWith("@") ? state.bot.name : `#${state.channel}`), h("p", {}, "Drop a picture anywhere, or type / to see what the bot can do."), samples((file) => emit("picture", file))),
    ...state.messages.map(render),
  );
  group();
  atEnd = true;
  keepAtEnd();
}

/** Reuse the picture elements if only text changed: nothing flickers, and a revealed spoiler stays revealed. */
function keepPictures(old, fresh) {
  const shown = (element) => [...element.querySelectorAll(".pictures [data-attachment]")].map((part) => part.dataset.attachment).join();
  if (shown(old) === shown(fresh)) fresh.querySelector(".pictures").replaceWith(old.querySelector(".pictures"));
}

function renderOne(message) {
  const fresh = render(message);
  const old = byId(`message-${message.id}`);
  if (old) {
    const focused = old.contains(document.activeElement) ? document.activeElement.textContent : null;
    keepPictures(old, fresh);
    old.replaceWith(fresh);
    if (focused !== null) [...fresh.querySelectorAll("button, select")].find((element) => element.textContent === focused)?.focus();
  } else {
    list().append(fresh);
    // The current member has written or used a command, and wants to see the result.
    if (message.author.name === state.member || message.interaction?.user === state.member) atEnd = true;
  }
  group();
  keepAtEnd();
}

export function startMessages() {
  on("messages", renderAll);
  on("message", renderOne);
  on("message-gone", (message) => {
    const element = byId(`message-${message.id}`);
    if (element?.contains(document.activeElement)) list().focus({ preventScroll: true });
    element?.remove();
    group();
  });
  list().addEventListener("scroll", onScroll);
  list().addEventListener("load", keepAtEnd, true); // when a picture in it has loaded
  byId("newest").addEventListener("click", () => {
    atEnd = true;
    keepAtEnd();
  });
  new ResizeObserver(keepAtEnd).observe(list());
}
