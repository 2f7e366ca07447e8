// The playground's sample pictures, offered as inputs.

import { h, toast } from "./dom.js";

const FILES = [
  "cat.jpg", "coffee.jpg", "coffee-cut-out.png", "rocket.jpg", "astronaut.jpg",
  "drawing-cat.png", "drawing-house.png", "drawing-apple.png",
];

async function picture(file) {
  const response = await fetch(`/photographs/${file}`);
  if (!response.ok) throw new Error(`no picture ${file}`);
  const blob = await response.blob();
  return new File([blob], file, { type: blob.type });
}

/** Offer them as buttons; `choose` receives the chosen one as a File. */
export function samples(choose) {
  const use = async (file) => {
    try {
      choose(await picture(file));
    } catch {
      toast("The picture could not be loaded."); // the playground has ended, and the sidebar says so
    }
  };
  return h(
    "div",
    { className: "samples", role: "group", "aria-label": "Sample pictures" },
    h("span", {}, "Try with:"),
    FILES.map((file) => {
      const name = file.split(".")[0].replace("-", ": ").replaceAll("-", " ");
      return h(
        "button",
        { type: "button", className: "sample", title: name, "aria-label": `Start with ${name}`, onclick: () => use(file) },
        h("img", { src: `/photographs/${file}`, alt: "", width: 56, height: 42 }),
      );
    }),
  );
}
