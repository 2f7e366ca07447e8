// Forms that the bot opens, and pictures shown large: both are dialogs of the browser.

import { Refused, act } from "./api.js";
import { h, toast } from "./dom.js";
import { state } from "./store.js";

function show(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
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
    input = h("select", shared, options);
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

/** Show the modal with which an interaction was answered, and send what was filled in. */
export function openModal(interaction) {
  const submit = h("button", { type: "submit", className: "button primary" }, "Submit");
  const form = h(
    "form",
    { method: "dialog" },
    h("h2", {}, interaction.modal.title),
    fields(interaction.modal.components),
    h(
      "p",
      { className: "row end" },
      h("button", { type: "button", className: "button secondary", onclick: () => dialog.close() }, "Cancel"),
      submit,
    ),
  );
  const dialog = h("dialog", { className: "modal", "aria-label": interaction.modal.title }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = {};
    for (const input of form.elements) {
      if (input.name) values[input.name] = input.tagName === "SELECT" ? [input.value] : input.value;
    }
    submit.disabled = true;
    try {
      const sent = await act("submit_modal", { member: state.member, interaction_id: interaction.id, values });
      if (sent.failed) toast("Something went wrong. Try again.");
      else dialog.close();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      let shown = false;
      for (const note of form.querySelectorAll("[data-wrong]")) {
        note.textContent = error.about(note.dataset.wrong) ?? "";
        shown ||= Boolean(note.textContent);
      }
      if (!shown) toast(error.sentences());
    } finally {
      submit.disabled = false;
    }
  });
  show(dialog);
}

export function openPicture(url, alt) {
  const close = h("button", { type: "button", className: "button secondary", onclick: () => dialog.close() }, "Close");
  const original = h("a", { className: "button link", href: url, target: "_blank", rel: "noopener noreferrer" }, "Open original ↗");
  const dialog = h(
    "dialog",
    { className: "large", "aria-label": alt || "Picture" },
    h("img", { src: url, alt }),
    h("p", { className: "row" }, alt ? h("span", { className: "caption" }, alt) : null, original, close),
  );
  show(dialog);
}
