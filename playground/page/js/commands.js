// A slash command as a form: its fields are the options that the bot registered.

import { Refused, act, ask } from "./api.js";
import { interact } from "./components.js";
import { h, toast } from "./dom.js";
import { Type, optionField } from "./fields.js";
import { openModal } from "./modal.js";
import { state } from "./store.js";

/** All slash commands available here, with subcommands expanded: name, description, options. */
export function slashCommands() {
  const unfold = (name, command) => {
    const children = (command.options ?? []).filter((option) => option.type === Type.SUB || option.type === Type.GROUP);
    if (children.length) return children.flatMap((child) => unfold(`${name} ${child.name}`, child));
    return [{ name, description: command.description, options: command.options ?? [] }];
  };
  return state.commands.filter((command) => command.type === 1).flatMap((command) => unfold(command.name, command));
}

export const takesPicture = (command) => command.options.some((option) => option.type === Type.ATTACHMENT);

/** Build the form of a command; `done` is called when it has been sent or cancelled. */
export function commandForm(command, { picked = null, done }) {
  const parts = [];
  const values = () => Object.fromEntries(parts.map((part) => [part.option.name, part.value()]).filter(([, value]) => value !== undefined));
  let left = picked;
  for (const option of command.options) {
    const taken = option.type === Type.ATTACHMENT ? left : null;
    if (taken) left = null;
    const others = () => Object.fromEntries(Object.entries(values()).filter(([name]) => name !== option.name));
    parts.push(optionField(option, command, taken, others));
  }
  const required = parts.filter((part) => part.option.required);
  const optional = parts.filter((part) => !part.option.required);
  const send = h("button", { type: "submit", className: "button primary" }, "Send");
  const more = h(
    "details",
    { open: !required.length },
    h("summary", {}, `${optional.length} more option${optional.length > 1 ? "s" : ""}`),
    h("div", { className: "fields" }, optional.map((part) => part.element)),
  );
  const form = h(
    "form",
    { className: "command", "aria-label": `/${command.name}` },
    h(
      "header",
      {},
      h("strong", {}, `/${command.name}`),
      h("span", {}, command.description),
      h("button", { type: "button", className: "plain", "aria-label": "Cancel the command", onclick: () => done() }, "✕"),
    ),
    h("div", { className: "fields" }, required.map((part) => part.element)),
    optional.length ? more : null,
    h("p", { className: "row end" }, send),
  );
  // An invalid field may be in the collapsed part, where the browser cannot point at it.
  form.addEventListener("invalid", (event) => (more.open ||= more.contains(event.target)), true);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") done();
    if (event.key === "Enter" && !event.shiftKey && event.target.tagName === "TEXTAREA") {
      event.preventDefault();
      form.requestSubmit();
    }
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const files = {};
    for (const part of parts) {
      part.wrong.textContent = "";
      const file = part.files?.file();
      if (file) files[part.option.name] = file;
      else if (part.files && part.option.required) {
        part.wrong.textContent = "This option is required.";
        part.focus();
        return;
      }
    }
    const unfinished = busy(send);
    try {
      const body = { member: state.member, channel: state.channel, name: command.name, options: values(), wait: false };
      const interaction = await act("command", body, files);
      done();
      follow(interaction);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      let shown = false;
      for (const part of parts) {
        part.wrong.textContent = error.about(part.option.name) ?? "";
        shown ||= Boolean(part.wrong.textContent);
      }
      if (!shown) toast(error.sentences());
    } finally {
      unfinished();
    }
  });
  // A picture goes to the field that it was dropped on, otherwise to the first one.
  const pick = (file, target) => {
    const taking = parts.filter((part) => part.files);
    const chosen = taking.find((part) => part.element.contains(target)) ?? taking[0];
    chosen?.files.show(file);
    (required.find((part) => !part.files && part.value() === undefined) ?? chosen)?.focus();
  };
  const focus = () => (required.find((part) => (part.files ? !part.files.file() : part.value() === undefined)) ?? parts[0] ?? { focus: () => send.focus() }).focus();
  return { element: form, pick, focus };
}

function busy(button) {
  button.disabled = true;
  return () => {
    button.disabled = false;
  };
}

/** Wait for the bot's response in the background: the form is already closed, as in Discord's client. */
async function follow(interaction) {
  const watched = await settled(interaction.id);
  if (watched.failed) toast(state.connected ? "The application did not respond." : "The bot is not connected.");
  else if (watched.modal) openModal(watched);
}

const waiting = new Map();

/** Handle an interaction event from the stream. */
export function interactionChanged(interaction) {
  if (!interaction.failed && interaction.response_type === null) return;
  waiting.get(interaction.id)?.(interaction);
  waiting.delete(interaction.id);
}

async function settled(id) {
  const heard = new Promise((resolve) => waiting.set(id, resolve));
  const now = await ask("interaction", { id });
  interactionChanged(now);
  return heard;
}

/** Run a command without options, immediately. */
export async function runPlain(command) {
  await interact("command", { channel: state.channel, name: command.name, options: {} });
}
