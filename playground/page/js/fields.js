// A form field for one option of a slash command, depending on its type.

import { Refused, act } from "./api.js";
import { completing } from "./completion.js";
import { formatBytes, h } from "./dom.js";
import { samples } from "./samples.js";
import { state } from "./store.js";

/** Discord's application command option types that fields or names depend on. */
export const Type = { SUB: 1, GROUP: 2, INTEGER: 4, BOOLEAN: 5, USER: 6, CHANNEL: 7, ROLE: 8, MENTIONABLE: 9, NUMBER: 10, ATTACHMENT: 11 };

function fileField(option, id, picked) {
  const input = h("input", { id, type: "file", name: option.name, accept: "image/*", className: "visually-hidden" });
  const shown = h("span", { className: "drop-face" });
  const label = h("label", { className: "drop-zone", htmlFor: id }, shown);
  const remove = h("button", { type: "button", className: "plain remove", "aria-label": `Remove ${option.name}`, hidden: true, onclick: () => clear() }, "✕");
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
    remove.hidden = option.required || !file;
  };
  const clear = () => {
    input.value = ""; // so that the same file can be chosen again
    show(null);
    input.focus();
  };
  input.addEventListener("change", () => show(input.files[0]));
  show(picked);
  const element = h("div", { className: "file-field" }, input, label, remove);
  return { element, samples: option.required ? samples(show) : null, file: () => file, show, focus: () => input.focus() };
}

function select(id, option, choices) {
  return h(
    "select",
    { id, name: option.name, required: option.required },
    option.required ? null : h("option", { value: "" }, "—"),
    choices.map(([value, label]) => h("option", { value: JSON.stringify(value) }, label)),
  );
}

/** Ask the bot for autocomplete choices; a refusal yields none, and the command itself will say why. */
async function completions(command, option, value, options) {
  try {
    const body = { member: state.member, channel: state.channel, name: command.name, option: option.name, value, options };
    return (await act("autocomplete", body)).choices;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return [];
  }
}

const range = ({ min_value: low, max_value: high }) => (low === undefined || high === undefined ? null : `${low} to ${high}`);

/** Build the field of an option; `others()` returns the values of the other fields. */
export function optionField(option, command, picked, others) {
  const id = `option-${option.name}`;
  const wrong = h("small", { className: "wrong", id: `${id}-wrong` });
  const shared = { id, name: option.name, required: option.required, "aria-describedby": `${id}-about ${id}-wrong` };
  const numeric = { min: option.min_value, max: option.max_value, placeholder: range(option) };
  let input;
  let completion = null;
  let files = null;
  if (option.choices?.length) input = select(id, option, option.choices.map((choice) => [choice.value, choice.name]));
  else if (option.type === Type.INTEGER) input = h("input", { ...shared, ...numeric, type: "number", step: 1, inputMode: "numeric" });
  else if (option.type === Type.NUMBER) input = h("input", { ...shared, ...numeric, type: "number", step: "any", inputMode: "decimal" });
  else if (option.type === Type.BOOLEAN) input = select(id, option, [[true, "True"], [false, "False"]]);
  else if (option.type === Type.USER || option.type === Type.MENTIONABLE) input = select(id, option, [...state.members, state.bot].map((user) => [user.id, user.name]));
  else if (option.type === Type.CHANNEL) input = select(id, option, state.channels.filter((channel) => !channel.direct && (option.channel_types ?? [channel.type]).includes(channel.type)).map((channel) => [channel.id, `#${channel.name}`]));
  else if (option.type === Type.ROLE) input = select(id, option, state.roles.map((role) => [role.id, role.name]));
  else if (option.type === Type.ATTACHMENT) files = fileField(option, id, picked);
  else {
    const limits = { maxLength: option.max_length ?? 6000, minLength: option.min_length ?? 0 };
    const long = option.required && !option.autocomplete && (option.max_length ?? 6000) > 200;
    input = long
      ? h("textarea", { ...shared, ...limits, rows: 2, placeholder: "In your own words" })
      : h("input", { ...shared, ...limits, type: "text" });
  }
  if (option.autocomplete) completion = completing(input, (typed) => completions(command, option, typed, others()));
  const element = h(
    "div",
    { className: `field${option.type === Type.ATTACHMENT ? " wide" : ""}${input?.tagName === "TEXTAREA" ? " wide" : ""}` },
    h("label", { htmlFor: id }, option.name, option.required ? h("span", { className: "required", title: "required" }, " *") : null),
    files?.element ?? input,
    completion?.list,
    h("small", { id: `${id}-about` }, option.description),
    wrong,
    files?.samples,
  );
  const value = () => {
    if (files || input.value === "") return undefined;
    if (input.tagName === "SELECT") return JSON.parse(input.value);
    const given = completion?.value() ?? input.value;
    return option.type === Type.INTEGER || option.type === Type.NUMBER ? Number(given) : given;
  };
  return { option, element, wrong, files, value, focus: () => (files ? files.focus() : input.focus()) };
}
