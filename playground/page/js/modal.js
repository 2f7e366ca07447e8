// The bot's modals, and enlarged pictures: both are native dialogs of the browser.

import { Refused, act } from "./api.js";
import { h, toast } from "./dom.js";
import { state } from "./store.js";

function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
}

function field(component, label, description) {
  const name = component.custom_id;
  const shared = {
    id: `modal-${name}`,
    name,
    required: component.required ?? true,
    placeholder: component.placeholder ?? "",
    "aria-describedby": description ? `modal-${name}-about` : null,
  };
  let input;
  if (component.type === 4) {
    const limits = { maxLength: component.max_length ?? 4000, minLength: component.min_length ?? 0 };
    const value = component.value ?? "";
    input =
      component.style === 2
        ? h("textarea", { ...shared, ...limits, rows: 4, value })
        : h("input", { ...shared, ...limits, type: "text", value });
  } else if (component.options) {
    const options = component.options.map((option) => h("option", { value: option.value, selected: option.default }, option.label));
    const several = (component.max_values ?? 1) > 1;
    const none = several || component.options.some((option) => option.default) ? null : h("option", { value: "" }, component.placeholder ?? "Make a selection");
    input = h("select", { ...shared, multiple: several }, none, options);
  } else return null;
  return h(
    "p",
    { className: "field" },
    h("label", { htmlFor: shared.id }, label, shared.required ? h("span", { className: "required", title: "required" }, " *") : null),
    description ? h("small", { id: `modal-${name}-about` }, description) : null,
    input,
    h("small", { className: "wrong", dataset: { wrong: name } }),
  );
}

function fields(components) {
  return components.flatMap((component) => {
    if (component.type === 18) return [field(component.component, component.label, component.description)];
    if (component.type === 1) return fields(component.components);
    if (component.type === 10) return [h("p", {}, component.content)];
    return [field(component, component.label)];
  });
}

/** Show a form as a dialog until `submitted(form)` resolves to true; Ctrl+Enter submits it from any field. */
function openForm(title, content, label, submitted) {
  const submit = h("button", { type: "submit", className: "button primary" }, label);
  const cancel = h("button", { type: "button", className: "button secondary", onclick: () => dialog.close() }, "Cancel");
  const form = h("form", { method: "dialog" }, h("h2", {}, title), content, h("p", { className: "row end" }, cancel, submit));
  const dialog = h("dialog", { className: "modal", "aria-label": title }, form);
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit(submit);
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (submit.disabled) return;
    submit.disabled = true;
    try {
      if (await submitted(form)) dialog.close();
    } finally {
      submit.disabled = false;
    }
  });
  show(dialog);
}

function valuesOf(form) {
  const values = {};
  for (const input of form.elements) {
    if (!input.name) continue;
    if (input.tagName === "SELECT") values[input.name] = [...input.selectedOptions].map((option) => option.value).filter(Boolean);
    else values[input.name] = input.value;
  }
  return values;
}

/** Show the modal that an interaction was answered with, and submit its values. */
export function openModal(interaction) {
  openForm(interaction.modal.title, fields(interaction.modal.components), "Submit", async (form) => {
    try {
      const sent = await act("submit_modal", { member: state.member, interaction_id: interaction.id, values: valuesOf(form) });
      if (sent.failed) toast("Something went wrong. Try again.");
      return !sent.failed;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      let shown = false;
      for (const note of form.querySelectorAll("[data-wrong]")) {
        note.textContent = error.about(note.dataset.wrong) ?? "";
        shown ||= Boolean(note.textContent);
      }
      if (!shown) toast(error.sentences());
      return false;
    }
  });
}

/** Let the member edit a text; `changed` receives the new one. */
export function openText(title, value, changed) {
  const area = h("textarea", { name: "text", rows: 5, maxLength: 2000, value, "aria-label": title });
  openForm(title, area, "Save", async () => {
    await changed(area.value);
    return true;
  });
}

export function openPicture(url, alt) {
  const close = h("button", { type: "button", className: "button secondary", autofocus: true, onclick: () => dialog.close() }, "Close");
  const original = h("a", { className: "button link", href: url, target: "_blank", rel: "noopener noreferrer" }, "Open original ↗");
  const dialog = h(
    "dialog",
    { className: "large", "aria-label": alt || "Picture" },
    h("img", { src: url, alt }),
    h("p", { className: "row" }, alt ? h("span", { className: "caption" }, alt) : null, original, close),
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  show(dialog);
}
