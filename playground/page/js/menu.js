// The context menu of a message: reply, edit, delete, the bot's message commands.

import { Refused, act } from "./api.js";
import { interact } from "./components.js";
import { h, toast } from "./dom.js";
import { openText } from "./modal.js";
import { isModerator, setReply, state } from "./store.js";

let open = null;

export function closeMenu() {
  const { element, origin } = open ?? {};
  open = null;
  element?.remove();
  origin?.setAttribute("aria-expanded", "false");
  return origin;
}

/** Act as the current member, and show why if that is refused. */
export async function attempt(name, body) {
  try {
    await act(name, { member: state.member, ...body });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.sentences());
  }
}

function entries(message) {
  const own = message.author.name === state.member;
  const direct = state.channel.startsWith("@");
  const list = [];
  if (!message.ephemeral) list.push(["Reply", () => setReply(message)]);
  if (own) list.push(["Edit", () => openText("Edit the message", message.content, (content) => attempt("edit", { message_id: message.id, content }))]);
  if (message.ephemeral) list.push(["Dismiss", () => attempt("delete", { message_id: message.id })]);
  else if (own || (isModerator() && !direct)) list.push(["Delete", () => attempt("delete", { message_id: message.id }), "", "danger"]);
  list.push(["Copy ID", () => navigator.clipboard?.writeText(message.id)]);
  for (const command of state.commands.filter((known) => known.type === 3)) {
    list.push([command.name, () => interact("message_command", { name: command.name, message_id: message.id }), "Apps"]);
  }
  return list;
}

/** Open the menu at a point and focus its first entry; Escape or a click elsewhere closes it. */
export function openMenu(message, origin, x, y) {
  closeMenu();
  let group = "";
  const items = entries(message).flatMap(([label, action, under = "", kind = ""]) => {
    const head = under && under !== group ? [h("li", { className: "group", role: "presentation" }, under)] : [];
    group = under;
    const choose = () => {
      closeMenu()?.focus();
      action();
    };
    return [...head, h("li", { role: "none" }, h("button", { type: "button", role: "menuitem", className: kind, onclick: choose }, label))];
  });
  const element = h("ul", { className: "context", role: "menu", "aria-label": "Message" }, items);
  element.addEventListener("keydown", (event) => {
    const buttons = [...element.querySelectorAll("button")];
    const at = buttons.indexOf(document.activeElement);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) buttons[(at + step + buttons.length) % buttons.length].focus();
    else if (event.key === "Escape") closeMenu()?.focus();
    else if (event.key === "Tab") closeMenu();
    if (step || event.key === "Escape") event.preventDefault();
  });
  document.body.append(element);
  const { width, height } = element.getBoundingClientRect();
  element.style.left = `${Math.max(8, Math.min(x, innerWidth - width - 8))}px`;
  element.style.top = `${Math.max(8, Math.min(y, innerHeight - height - 8))}px`;
  origin?.setAttribute("aria-expanded", "true");
  open = { element, origin };
  element.querySelector("button")?.focus({ preventScroll: true });
}

document.addEventListener("pointerdown", (event) => {
  if (open && !open.element.contains(event.target)) closeMenu();
});
