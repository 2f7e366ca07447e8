// Where one writes: text with files and a reply, or a slash command.

import { Refused, act } from "./api.js";
import { commandForm, runPlain, slashCommands, takesPicture } from "./commands.js";
import { byId, formatBytes, h, toast } from "./dom.js";
import { on, setReply, state } from "./store.js";

let files = [];
let form = null;

const text = h("textarea", {
  id: "composer-text",
  rows: 1,
  maxLength: 2000,
  "aria-label": "Message",
  role: "combobox",
  "aria-expanded": "false",
  "aria-controls": "command-list",
  "aria-autocomplete": "list",
});
const chooser = h("input", { type: "file", multiple: true, className: "visually-hidden", tabIndex: -1, "aria-label": "Files" });
const attach = h("button", { type: "button", className: "plain attach", "aria-label": "Attach files", onclick: () => chooser.click() }, "+");
const slash = h("button", { type: "button", className: "plain", "aria-label": "Commands", onclick: () => openList("/") }, "/");
const send = h("button", { type: "submit", className: "plain send", "aria-label": "Send" }, "➤");
const tray = h("ul", { className: "tray", "aria-label": "Files to send" });
const reply = h("div", { className: "replying", hidden: true });
const suggestions = h("ul", { id: "command-list", className: "suggestions", role: "listbox", "aria-label": "Commands", hidden: true });
const plain = h("form", { className: "composer" }, attach, text, slash, send);
let marked = 0;

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
    h("button", { type: "button", className: "plain", "aria-label": "Do not reply", onclick: () => setReply(null) }, "✕"),
  );
  closeForm();
  text.focus();
}

function matching() {
  if (!text.value.startsWith("/")) return [];
  const typed = text.value.slice(1).toLowerCase();
  return slashCommands().filter((command) => command.name.startsWith(typed));
}

function showList() {
  const found = matching();
  marked = Math.min(marked, Math.max(found.length - 1, 0));
  suggestions.hidden = !text.value.startsWith("/");
  text.setAttribute("aria-expanded", String(!suggestions.hidden));
  suggestions.replaceChildren(
    ...(found.length
      ? found.map((command, index) =>
          h(
            "li",
            { id: `command-${index}`, role: "option", "aria-selected": String(index === marked), onpointerdown: (event) => event.preventDefault(), onclick: () => choose(command) },
            h("strong", {}, `/${command.name}`),
            h("span", {}, command.description),
          ),
        )
      : [h("li", { className: "none" }, state.commands.length ? "No such command." : "The bot has registered no commands yet.")]),
  );
  if (found.length && !suggestions.hidden) text.setAttribute("aria-activedescendant", `command-${marked}`);
  else text.removeAttribute("aria-activedescendant");
}

function openList(start) {
  closeForm();
  text.value = start;
  text.focus();
  showList();
}

function choose(command) {
  text.value = "";
  showList();
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

/** Take in dropped or pasted files: a picture goes into the open command, or opens the first that takes one. */
function take(list) {
  const picture = list.find((file) => file.type.startsWith("image/"));
  if (form && picture) {
    form.pick(picture);
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
  if (text.value.startsWith("/") && matching().length) {
    choose(matching()[marked]);
    return;
  }
  const content = text.value.trim();
  if (!content && !files.length) return;
  const body = { member: state.member, channel: state.channel, content };
  if (state.replyTo) Object.assign(body, { reply_to: state.replyTo.id, ping: byId("ping")?.checked ?? true });
  const sent = Object.fromEntries(files.map((file, index) => [`file${index}`, file]));
  send.disabled = true;
  try {
    await act("say", body, sent);
    text.value = "";
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
  const found = suggestions.hidden ? [] : matching();
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    submit();
  } else if (event.key === "Tab" && found.length) {
    event.preventDefault();
    choose(found[marked]);
  } else if (found.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    marked = (marked + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length;
    showList();
  } else if (event.key === "Escape") {
    if (!suggestions.hidden) {
      text.value = "";
      showList();
    } else if (state.replyTo) setReply(null);
  }
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
    take([...event.dataTransfer.files]);
  });
  addEventListener("paste", (event) => {
    const list = [...(event.clipboardData?.files ?? [])];
    if (!list.length) return;
    event.preventDefault();
    take(list);
  });
}

export function startComposer() {
  byId("writing").append(suggestions, reply, tray, plain, chooser);
  plain.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  text.addEventListener("keydown", onKey);
  text.addEventListener("input", () => {
    marked = 0;
    grow();
    showList();
  });
  chooser.addEventListener("change", () => {
    addFiles([...chooser.files]);
    chooser.value = "";
  });
  on("reply", showReply);
  on("commands", showList);
  on("place", () => {
    closeForm();
    showReply();
    text.placeholder = `Message ${state.channel.startsWith("@") ? `@${state.bot.name}` : `#${state.channel}`} as ${state.member}`;
  });
  on("picture", (file) => take([file]));
  watchDrops();
}
