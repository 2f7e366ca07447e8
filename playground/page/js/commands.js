// A slash command as a form: its fields are the options that the bot registered.

import { Refused, act, ask } from "./api.js";
import { interact } from "./components.js";
import { formatBytes, h, toast } from "./dom.js";
import { state } from "./store.js";

const [SUB, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11];

/** All slash commands that can be typed here, subcommands unfolded: name, description, options. */
export function slashCommands() {
  const unfold = (name, command) => {
    const children = (command.options ?? []).filter((option) => option.type === SUB || option.type === GROUP);
    if (children.length) return children.flatMap((child) => unfold(`${name} ${child.name}`, child));
    return [{ name, description: command.description, options: command.options ?? [] }];
  };
  return state.commands.filter((command) => command.type === 1).flatMap((command) => unfold(command.name, command));
}

export const takesPicture = (command) => command.options.some((option) => option.type === ATTACHMENT);

function fileField(option, id, picked) {
  const input = h("input", { id, type: "file", name: option.name, accept: "image/*", className: "visually-hidden" });
  const shown = h("span", { className: "drop-face" });
  const label = h("label", { className: "drop-zone", htmlFor: id }, shown);
  let file = null;
  let preview = null;
  const show = (chosen) => {
    file = chosen ?? null;
    if (preview) URL.revokeObjectURL(preview);
    preview = file?.type.startsWith("image/") ? URL.createObjectURL(file) : null;
    shown.replaceChildren(
      preview ? h("img", { src: preview, alt: "" }) : h("span", { className: "drop-mark", "aria-hidden": "true" }, "+"),
      h("span", {}, file ? `${file.name} · ${formatBytes(file.size)}` : "Drop, paste or choose a picture"),
    );
    label.classList.toggle("filled", Boolean(file));
  };
  input.addEventListener("change", () => show(input.files[0]));
  show(picked);
  return { element: h("div", { className: "file-field" }, input, label), file: () => file, show, focus: () => input.focus() };
}

function select(id, option, choices) {
  return h(
    "select",
    { id, name: option.name, required: option.required },
    option.required ? null : h("option", { value: "" }, "—"),
    choices.map(([value, label]) => h("option", { value: JSON.stringify(value) }, label)),
  );
}

/** Offer what the bot completes, as the member types. */
function completing(input, option, command, others) {
  const list = h("datalist", { id: `${input.id}-choices` });
  input.setAttribute("list", list.id);
  input.autocomplete = "off";
  let asked = 0;
  let timer = 0;
  const refresh = async () => {
    const number = ++asked;
    try {
      const body = { member: state.member, channel: state.channel, name: command.name, option: option.name, value: input.value, options: others() };
      const { choices } = await act("autocomplete", body);
      if (number !== asked) return;
      list.replaceChildren(...choices.map((choice) => h("option", { value: choice.value, label: choice.name })));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
  };
  input.addEventListener("focus", refresh);
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(refresh, 250);
  });
  return list;
}

function field(option, command, picked, others) {
  const id = `option-${option.name}`;
  const wrong = h("small", { className: "wrong", id: `${id}-wrong` });
  const shared = { id, name: option.name, required: option.required, "aria-describedby": `${id}-about ${id}-wrong` };
  const numeric = { min: option.min_value, max: option.max_value };
  let input;
  let extra = null;
  let files = null;
  if (option.choices?.length) input = select(id, option, option.choices.map((choice) => [choice.value, choice.name]));
  else if (option.type === INTEGER) input = h("input", { ...shared, ...numeric, type: "number", step: 1, inputMode: "numeric" });
  else if (option.type === NUMBER) input = h("input", { ...shared, ...numeric, type: "number", step: "any", inputMode: "decimal" });
  else if (option.type === BOOLEAN) input = select(id, option, [[true, "True"], [false, "False"]]);
  else if (option.type === USER || option.type === MENTIONABLE) input = select(id, option, [...state.members, state.bot].map((user) => [user.id, user.name]));
  else if (option.type === CHANNEL) input = select(id, option, state.channels.filter((channel) => !channel.direct).map((channel) => [channel.id, `#${channel.name}`]));
  else if (option.type === ROLE) input = select(id, option, state.roles.map((role) => [role.id, role.name]));
  else if (option.type === ATTACHMENT) files = fileField(option, id, picked);
  else {
    const limits = { maxLength: option.max_length ?? 6000, minLength: option.min_length ?? 0 };
    const long = option.required && !option.autocomplete && (option.max_length ?? 6000) > 200;
    input = long ? h("textarea", { ...shared, ...limits, rows: 2 }) : h("input", { ...shared, ...limits, type: "text" });
  }
  if (option.autocomplete) extra = completing(input, option, command, others);
  const element = h(
    "div",
    { className: `field${option.type === ATTACHMENT ? " wide" : ""}${input?.tagName === "TEXTAREA" ? " wide" : ""}` },
    h("label", { htmlFor: id }, option.name, option.required ? h("span", { className: "required", title: "required" }, " *") : null),
    files?.element ?? input,
    extra,
    h("small", { id: `${id}-about` }, option.description),
    wrong,
  );
  const value = () => {
    if (files || input.value === "") return undefined;
    if (input.tagName === "SELECT") return JSON.parse(input.value);
    return option.type === INTEGER || option.type === NUMBER ? Number(input.value) : input.value;
  };
  return { option, element, wrong, files, value, focus: () => (files ? files.focus() : input.focus()) };
}

/** Build the form of a command; `done` is called when it was sent or given up. */
export function commandForm(command, { picked = null, done }) {
  const parts = [];
  const values = () => Object.fromEntries(parts.map((part) => [part.option.name, part.value()]).filter(([, value]) => value !== undefined));
  let left = picked;
  for (const option of command.options) {
    const taken = option.type === ATTACHMENT ? left : null;
    if (taken) left = null;
    const others = () => Object.fromEntries(Object.entries(values()).filter(([name]) => name !== option.name));
    parts.push(field(option, command, taken, others));
  }
  const required = parts.filter((part) => part.option.required);
  const optional = parts.filter((part) => !part.option.required);
  const send = h("button", { type: "submit", className: "button primary" }, "Send");
  const form = h(
    "form",
    { className: "command", noValidate: false },
    h(
      "header",
      {},
      h("strong", {}, `/${command.name}`),
      h("span", {}, command.description),
      h("button", { type: "button", className: "plain", "aria-label": "Cancel the command", onclick: () => done() }, "✕"),
    ),
    h("div", { className: "fields" }, required.map((part) => part.element)),
    optional.length
      ? h("details", { open: !required.length }, h("summary", {}, `${optional.length} more option${optional.length > 1 ? "s" : ""}`), h("div", { className: "fields" }, optional.map((part) => part.element)))
      : null,
    h("p", { className: "row end" }, send),
  );
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
  const pick = (file) => {
    const free = parts.find((part) => part.files && !part.files.file()) ?? parts.find((part) => part.files);
    free?.files.show(file);
    (required.find((part) => !part.files && part.value() === undefined) ?? free)?.focus();
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

/** Wait apart for what the bot makes of it: the form is gone already, as in Discord's client. */
async function follow(interaction) {
  const watched = await settled(interaction.id);
  if (watched.failed) toast(state.connected ? "The application did not respond." : "The bot is not connected.");
  else if (watched.modal) (await import("./modal.js")).openModal(watched);
}

const waiting = new Map();

/** Hear of an interaction from the stream. */
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

/** Run a command that has no options at once. */
export async function runPlain(command) {
  await interact("command", { channel: state.channel, name: command.name, options: {} });
}
