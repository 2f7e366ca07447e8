// Buttons and select menus of a message, and what happens when they are used.

import { Refused, act } from "./api.js";
import { h, toast } from "./dom.js";
import { markdown } from "./markdown.js";
import { openModal } from "./modal.js";
import { state } from "./store.js";

const STYLES = { 1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link" };

/** Send an interaction and show what Discord's client would: a modal, or that the bot did not respond. */
export async function interact(name, body, files) {
  try {
    const interaction = await act(name, { member: state.member, ...body }, files);
    if (interaction.failed) toast(state.connected ? "The application did not respond." : "The bot is not connected.");
    else if (interaction.modal) openModal(interaction);
    return interaction;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.sentences());
    return null;
  }
}

/** Ignore further presses while one is pending; disabling the button would lose the keyboard focus. */
async function press(message, component, element, values = []) {
  if (element.ariaBusy === "true") return;
  element.ariaBusy = "true";
  try {
    await interact("press", { message_id: message.id, component: component.custom_id, values });
  } finally {
    element.ariaBusy = null;
  }
}

function button(message, component) {
  const face = [component.emoji?.name, component.label].filter(Boolean).join(" ");
  if (component.url) {
    return h("a", { className: "button link", href: component.url, target: "_blank", rel: "noopener noreferrer" }, `${face} ↗`);
  }
  const element = h("button", { type: "button", className: `button ${STYLES[component.style]}`, disabled: component.disabled }, face);
  element.addEventListener("click", () => press(message, component, element));
  return element;
}

function menu(message, component) {
  const options = component.options ?? state.members.map((member) => ({ label: member.name, value: member.id }));
  const element = h(
    "select",
    { className: "menu", "aria-label": component.placeholder ?? "Choose", disabled: component.disabled },
    h("option", { value: "" }, component.placeholder ?? "Make a selection"),
    options.map((option) => h("option", { value: option.value, selected: option.default }, option.label)),
  );
  element.addEventListener("change", () => element.value && press(message, component, element, [element.value]));
  return element;
}

function media(item) {
  return h("img", { className: "picture", src: item.media.url, alt: item.description ?? "", loading: "lazy" });
}

export function components(message, list) {
  return list.map((component) => {
    switch (component.type) {
      case 1:
        return h("div", { className: "row" }, components(message, component.components));
      case 2:
        return button(message, component);
      case 3:
      case 5:
      case 6:
      case 7:
      case 8:
        return menu(message, component);
      case 9:
        return h(
          "div",
          { className: "section" },
          h("div", {}, components(message, component.components)),
          components(message, [component.accessory]),
        );
      case 10:
        return markdown(component.content);
      case 11:
        return media(component);
      case 12:
        return h("div", { className: "gallery" }, component.items.map(media));
      case 14:
        return h("hr", { className: component.divider === false ? "gap" : "" });
      case 17:
        return h("div", { className: "container" }, components(message, component.components));
      default:
        return null;
    }
  });
}
