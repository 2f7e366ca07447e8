// The sidebar: channels, the current member, and the bot's status.

import { byId, h } from "./dom.js";
import { channelNow, on, state, switchTo, visibleChannels } from "./store.js";

function closeDrawer() {
  document.body.classList.remove("drawer-open");
  byId("drawer").setAttribute("aria-expanded", "false");
}

function renderChannels() {
  const list = byId("channels");
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.channel : null;
  list.replaceChildren(
    ...visibleChannels().map((known) => {
      const label = `${known.mark} ${known.direct ? state.bot.name : known.name}`;
      const choose = () => {
        closeDrawer();
        switchTo({ channel: known.name });
      };
      const current = known.name === state.channel ? "page" : null;
      const unread = state.unread.has(known.name) && !current;
      const marks = [
        known.age_restricted ? h("span", { className: "tag", title: "Age-restricted" }, "18+") : null,
        unread ? h("span", { className: "unread", title: "New messages" }, h("span", { className: "visually-hidden" }, "New messages")) : null,
      ];
      return h("li", {}, h("button", { type: "button", className: "plain", dataset: { channel: known.name }, "aria-current": current, onclick: choose }, label, h("span", { className: "marks" }, marks)));
    }),
  );
  if (focused) list.querySelector(`[data-channel="${CSS.escape(focused)}"]`)?.focus();
}

function renderPlace() {
  const channel = channelNow();
  const direct = channel.direct;
  document.title = `${direct ? state.bot.name : `#${channel.name}`} · Playground`;
  byId("guild-name").textContent = state.guild.name;
  byId("channel-name").textContent = direct ? state.bot.name : `#${channel.name}`;
  byId("channel-topic").textContent = direct ? "Direct messages" : (channel.topic ?? "");
  byId("member").replaceChildren(
    ...state.members.map((member) => {
      const roles = member.roles.length ? ` (${member.roles.join(", ").toLowerCase()})` : "";
      return h("option", { value: member.name, selected: member.name === state.member }, member.name + roles);
    }),
  );
}

function renderStatus() {
  const status = byId("status");
  const words = !state.online
    ? ["off", "The playground has stopped"]
    : state.ready
      ? ["on", `${state.bot.name} is online`]
      : state.connected
        ? ["wait", `${state.bot.name} is getting ready`]
        : ["off", `${state.bot.name} is not connected`];
  status.className = `status ${words[0]}`;
  status.textContent = words[1] + (state.judged ? "" : " · requests not checked");
  status.title = state.reason ?? "";
}

function renderTyping() {
  byId("typing").textContent = Date.now() < state.typingUntil ? `${state.bot.name} is typing…` : "";
}

export function startSidebar() {
  on("place", renderPlace);
  on("place unread", renderChannels);
  on("place status", renderStatus);
  on("typing", renderTyping);
  setInterval(renderTyping, 1000);
  byId("member").addEventListener("change", (event) => switchTo({ member: event.target.value }));
  byId("drawer").addEventListener("click", () => {
    const open = document.body.classList.toggle("drawer-open");
    byId("drawer").setAttribute("aria-expanded", String(open));
    if (open) byId("channels").querySelector("[aria-current]")?.focus();
  });
  document.querySelector(".channel").addEventListener("pointerdown", (event) => {
    if (!event.target.closest("#drawer")) closeDrawer();
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !document.body.classList.contains("drawer-open")) return;
    closeDrawer();
    byId("drawer").focus();
  });
}
