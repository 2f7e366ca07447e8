// Jump to a message, in this channel or another, and highlight it briefly.

import { byId, h, toast } from "./dom.js";
import { state, switchTo, visibleChannels } from "./store.js";

async function jump(messageId, channelId) {
  const channel = visibleChannels().find((known) => known.id === channelId);
  if (channel && channel.name !== state.channel) await switchTo({ channel: channel.name });
  const target = byId(`message-${messageId}`);
  if (!target) {
    toast("That message no longer exists.");
    return;
  }
  target.scrollIntoView({ block: "center" });
  target.focus({ preventScroll: true });
  target.classList.remove("aimed");
  target.getBoundingClientRect(); // force a reflow, which restarts the animation
  target.classList.add("aimed");
}

/** Build a link to a message; the click handler works even where the hash alone does not. */
export function messageLink(messageId, channelId, properties, ...children) {
  const follow = (event) => {
    event.preventDefault();
    jump(messageId, channelId);
  };
  return h("a", { href: `#message-${messageId}`, onclick: follow, ...properties }, ...children);
}
