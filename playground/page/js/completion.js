// Autocomplete by the bot: a list under the field, and the keys that choose from it.

import { h } from "./dom.js";

const PAUSE_MILLISECONDS = 250;

/** Autocomplete `input` with `ask(text)`, which resolves to choices of `name` and `value`. */
export function completing(input, ask) {
  const list = h("ul", { id: `${input.id}-choices`, className: "choices", role: "listbox", "aria-label": "Choices", hidden: true });
  for (const [name, value] of [["role", "combobox"], ["aria-expanded", "false"], ["aria-autocomplete", "list"], ["aria-controls", list.id]]) {
    input.setAttribute(name, value);
  }
  input.autocomplete = "off";
  let choices = [];
  let marked = -1;
  let picked = null;
  let asked = 0;
  let timer = 0;

  const show = (open) => {
    list.hidden = !open || !choices.length;
    input.setAttribute("aria-expanded", String(!list.hidden));
    if (!list.hidden && marked >= 0) input.setAttribute("aria-activedescendant", `${list.id}-${marked}`);
    else input.removeAttribute("aria-activedescendant");
    list.replaceChildren(
      ...choices.map((choice, index) =>
        h(
          "li",
          { id: `${list.id}-${index}`, role: "option", "aria-selected": String(index === marked), onpointerdown: (event) => event.preventDefault(), onclick: () => pick(choice) },
          choice.name,
        ),
      ),
    );
    list.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: "nearest" });
  };
  const pick = (choice) => {
    picked = choice;
    input.value = choice.name;
    choices = [];
    marked = -1;
    show(false);
  };
  const refresh = async () => {
    const number = ++asked;
    const found = await ask(input.value);
    if (number !== asked || document.activeElement !== input) return;
    choices = found;
    marked = -1;
    show(true);
  };
  const move = (step) => {
    marked = marked < 0 && step < 0 ? choices.length - 1 : (marked + step + choices.length) % choices.length;
    show(true);
  };

  input.addEventListener("focus", () => picked === null && refresh());
  input.addEventListener("input", () => {
    picked = null;
    clearTimeout(timer);
    timer = setTimeout(refresh, PAUSE_MILLISECONDS);
  });
  input.addEventListener("blur", () => {
    asked++;
    clearTimeout(timer);
    show(false);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && list.hidden) refresh();
    if (list.hidden) return;
    if (event.key === "ArrowDown") move(1);
    else if (event.key === "ArrowUp") move(-1);
    else if (event.key === "Escape") show(false);
    else if (event.key === "Enter" && marked >= 0) pick(choices[marked]);
    else return;
    event.preventDefault();
    event.stopPropagation(); // do not close or submit the surrounding form
  });
  return { list, value: () => picked?.value ?? input.value };
}
