// The message box: text with files and a reply, or a slash command.

import { Refused, act } from "./api.js";
import { commandForm, runPlain, slashCommands, takesPicture } from "./commands.js";
import { byId, formatBytes, h, toast } from "./dom.js";
import { on, setReply, state } from "./store.js";
import { suggestions } from "./suggestions.js";

let files = [];
let form = null;

const text = h("textarea", { id: "composer-text", rows: 1, maxLength: 2000, "aria-label": "Message" });
const chooser = h("input", { type: "file", multiple: true, className: "visually-hidden", tabIndex: -1, "aria-label": "Files" });
const attach = h("button", { type: "button", className: "plain attach", "aria-label": "Attach files", onclick: () => chooser.click() }, "+");
const slash = h("button", { type: "button", className: "plain", "aria-label": "Commands", onclick: () => openList() }, "/");
const send = h("button", { type: "submit", className: "plain send", "aria-label": "Send" }, "➤");
const tray = h("ul", { className: "tray", "aria-label": "Files to send" });
const reply = h("div", { className: "replying", hidden: true });
const plain = h("form", { className: "composer" }, attach, text, slash, send);
const offers = suggestions(text, offered, () => (state.commands.length ? "No such command." : "The bot has registered no commands yet."));

function grow() {
  text.style.height = "auto";
  text.style.height = `${Math.min(text.scrollHeight, 160)}px`;
}

function showFiles() {
  tray.replaceChildren(
    ...files.map((file, index) => {
      const drop = () => {
        files.splice(index, 1);
        showFiles();
        text.focus();
      };
      return h("li", {}, `${file.name} · ${formatBytes(file.size)} `, h("button", { type: "button", className: "plain", "aria-label": `Remove ${file.name}`, onclick: drop }, "✕"));
    }),
  );
}

function showReply() {
  reply.hidden = !state.replyTo;
  if (!state.replyTo) return;
  reply.replaceChildren(
    h("span", {}, "Replying to ", h("strong", {}, state.replyTo.author.name)),
    h("label", {}, h("input", { type: "checkbox", id: "ping", checked: true }), " ping"),
    h("button", { type: "button", className: "plain", "aria-label": "Cancel the reply", onclick: () => setReply(null) }, "✕"),
  );
  closeForm();
  text.focus();
}

/** Suggestions for the text before the caret: commands, names to mention, or null. */
function offered() {
  if (text.value.startsWith("/")) {
    const typed = text.value.slice(1).toLowerCase();
    const found = slashCommands().filter((command) => command.name.startsWith(typed));
    return found.map((command) => ({ title: `/${command.name}`, about: command.description, choose: () => choose(command) }));
  }
  const typed = /(?:^|\s)@(\w*)$/.exec(text.value.slice(0, text.selectionStart))?.[1].toLowerCase();
  if (typed === undefined) return null;
  const names = [state.bot, ...state.members].map((user) => user.name);
  const found = names.filter((name) => name.toLowerCase().startsWith(typed) && name.length > typed.length);
  return found.length ? found.map((name) => ({ title: `@${name}`, about: "", choose: () => mention(name, typed) })) : null;
}

function mention(name, typed) {
  text.setRangeText(`${name} `, text.selectionStart - typed.length, text.selectionStart, "end");
  text.focus();
}

function openList() {
  closeForm();
  text.value = "/";
  text.focus();
  offers.show();
}

function choose(command) {
  text.value = "";
  if (command.options.length) openForm(command);
  else runPlain(command);
}

function openForm(command, picked = null) {
  form = commandForm(command, { picked, done: () => closeForm(true) });
  plain.hidden = true;
  byId("writing").append(form.element);
  form.focus();
}

function closeForm(refocus = false) {
  form?.element.remove();
  form = null;
  plain.hidden = false;
  if (refocus) text.focus();
}

/** Accept dropped or pasted files: a picture fills the open command, or opens the first one that takes a picture. */
function take(list, target = null) {
  const picture = list.find((file) => file.type.startsWith("image/"));
  if (form && picture) {
    form.pick(picture, target);
    return;
  }
  const command = slashCommands().find(takesPicture);
  if (picture && command && list.length === 1 && !text.value && !state.replyTo) openForm(command, picture);
  else addFiles(list);
}

function addFiles(list) {
  files.push(...list);
  showFiles();
  text.focus();
}

async function submit() {
  if (text.value.startsWith("/")) offers.show(); // pressing Send moved the focus, which closed the list
  if (offers.chooseMarked()) return;
  const content = text.value.trim();
  if (!content && !files.length) return;
  const body = { member: state.member, channel: state.channel, content };
  if (state.replyTo) Object.assign(body, { reply_to: state.replyTo.id, ping: byId("ping")?.checked ?? true });
  const sent = Object.fromEntries(files.map((file, index) => [`file${index}`, file]));
  send.disabled = true;
  try {
    await act("say", body, sent);
    text.value = "";
    offers.show(); // hide the suggestions, including "No such command"
    files = [];
    setReply(null);
    showFiles();
    grow();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.sentences());
  } finally {
    send.disabled = false;
    text.focus();
  }
}

function onKey(event) {
  if (event.isComposing) return;
  if (offers.key(event)) event.preventDefault();
  else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    submit();
  } else if (event.key === "Escape" && state.replyTo) setReply(null);
}

function watchDrops() {
  const veil = byId("drop");
  const carriesFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", (event) => {
    if (carriesFiles(event)) veil.hidden = false;
  });
  addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    veil.hidden = true;
    if (!carriesFiles(event)) return;
    event.preventDefault();
    take([...event.dataTransfer.files], event.target);
  });
  addEventListener("paste", (event) => {
    const list = [...(event.clipboardData?.files ?? [])];
    if (!list.length) return;
    event.preventDefault();
    take(list);
  });
}

export function startComposer() {
  byId("writing").append(offers.list, reply, tray, plain, chooser);
  plain.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  text.addEventListener("keydown", onKey);
  text.addEventListener("input", grow);
  chooser.addEventListener("change", () => {
    addFiles([...chooser.files]);
    chooser.value = "";
  });
  on("reply", showReply);
  on("commands", () => document.activeElement === text && offers.show());
  on("place", () => {
    closeForm();
    showReply();
    text.placeholder = `To ${state.channel.startsWith("@") ? `@${state.bot.name}` : `#${state.channel}`} as ${state.member}`;
  });
  on("picture", (file) => take([file]));
  watchDrops();
}
