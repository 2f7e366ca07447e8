// The photographs that come with the playground, offered as pictures to begin with.

import { h, toast } from "./dom.js";

const NAMES = ["cat", "coffee", "rocket", "astronaut"];

async function photograph(name) {
  const response = await fetch(`/photographs/${name}.jpg`);
  if (!response.ok) throw new Error(`no photograph ${name}`);
  return new File([await response.blob()], `${name}.jpg`, { type: "image/jpeg" });
}

/** Offer the photographs as buttons; `choose` gets the one that is pressed, as a File. */
export function samples(choose) {
  const use = async (name) => {
    try {
      choose(await photograph(name));
    } catch {
      toast("The photograph could not be loaded."); // the playground has ended, and the sidebar says so
    }
  };
  return h(
    "div",
    { className: "samples", role: "group", "aria-label": "Sample photographs" },
    h("span", {}, "Try with:"),
    NAMES.map((name) =>
      h(
        "button",
        { type: "button", className: "sample", title: name, "aria-label": `Begin with the photograph: ${name}`, onclick: () => use(name) },
        h("img", { src: `/photographs/${name}.jpg`, alt: "", width: 56, height: 42 }),
      ),
    ),
  );
}
