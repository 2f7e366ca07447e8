// The list above the message box: commands after "/", names after "@".

import { h } from "./dom.js";

/**
 * Offer the entries of `offered()` (`title`, `about`, `choose`) while the member types into `text`, or nothing for null;
 * `none()` says why a list is empty. `key(event)` returns whether the list has handled the key.
 */
export function suggestions(text, offered, none) {
  const list = h("ul", { id: "command-list", className: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: true });
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-autocomplete", "list"], ["aria-controls", list.id]]) {
    text.setAttribute(name, value);
  }
  let entries = [];
  let marked = 0;

  const hide = () => {
    entries = [];
    list.hidden = true;
    text.setAttribute("aria-expanded", "false");
    text.removeAttribute("aria-activedescendant");
  };
  const choose = (entry) => {
    hide();
    entry.choose();
  };
  const draw = () => {
    list.replaceChildren(
      ...entries.map((entry, index) =>
        h(
          "li",
          { id: `command-${index}`, role: "option", "aria-selected": String(index === marked), onpointerdown: (event) => event.preventDefault(), onclick: () => choose(entry) },
          h("strong", {}, entry.title),
          h("span", {}, entry.about),
        ),
      ),
    );
    if (!entries.length) list.append(h("li", { className: "none" }, none()));
    else text.setAttribute("aria-activedescendant", `command-${marked}`);
    list.children[marked]?.scrollIntoView({ block: "nearest" });
  };
  const show = () => {
    const found = offered();
    if (!found) {
      hide();
      return;
    }
    entries = found;
    marked = 0;
    list.hidden = false;
    text.setAttribute("aria-expanded", "true");
    draw();
  };
  const chooseMarked = () => {
    if (list.hidden || !entries.length) return false;
    choose(entries[marked]);
    return true;
  };
  const key = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (list.hidden) return false;
    if (event.key === "Escape") hide();
    else if (step && entries.length) {
      marked = (marked + step + entries.length) % entries.length;
      draw();
    } else if ((event.key === "Enter" && !event.shiftKey) || event.key === "Tab") return chooseMarked();
    else return false;
    return true;
  };
  text.addEventListener("input", show);
  text.addEventListener("blur", hide);
  return { list, show, chooseMarked, key };
}
