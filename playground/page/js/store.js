// The page's state, and notifications of its parts when it changes.

import { ask } from "./api.js";

const listeners = new Map();

export const state = {
  bot: null,
  guild: null,
  members: [],
  roles: [],
  channels: [],
  commands: [],
  connected: false,
  ready: false,
  judged: true,
  reason: null,
  online: true,
  member: localStorage.getItem("playground:member") ?? "Ada",
  channel: localStorage.getItem("playground:channel") ?? "general",
  messages: [],
  unread: new Set(),
  replyTo: null,
  typingUntil: 0,
};

/** Call `listener` whenever one of `topics` changes. */
export function on(topics, listener) {
  for (const topic of topics.split(" ")) listeners.set(topic, [...(listeners.get(topic) ?? []), listener]);
}

export function emit(topic, detail) {
  for (const listener of listeners.get(topic) ?? []) listener(detail);
}

export const channelNow = () => state.channels.find((channel) => channel.name === state.channel);
export const userNamed = (id) =>
  id === state.bot?.id ? state.bot.name : state.members.find((member) => member.id === id)?.name;
export const isModerator = () =>
  (state.members.find((member) => member.name === state.member)?.roles ?? []).some((role) =>
    ["Moderator", "Owner"].includes(role),
  );

/** The channels that the current member can see; of the direct message channels only their own. */
export const visibleChannels = () =>
  state.channels.filter((channel) =>
    channel.direct ? channel.name === `@${state.member}` : channel.viewers.includes(state.member),
  );

export async function load() {
  const loaded = await ask("state");
  Object.assign(state, {
    bot: loaded.bot,
    guild: loaded.guild,
    members: loaded.members,
    roles: loaded.roles,
    channels: loaded.channels,
    connected: loaded.connected,
    ready: loaded.ready,
    judged: loaded.judged,
    reason: loaded.unjudged_reason,
  });
  if (!state.members.some((member) => member.name === state.member)) state.member = state.members[0].name;
  keepChannelVisible();
  return loaded.last_event;
}

function keepChannelVisible() {
  if (!visibleChannels().some((channel) => channel.name === state.channel)) state.channel = visibleChannels()[0].name;
}

export async function loadMessages() {
  const { member, channel } = state;
  const { messages } = await ask("messages", { channel, member });
  if (member !== state.member || channel !== state.channel) return; // switched in the meantime
  state.messages = messages;
  emit("messages");
}

export async function loadCommands() {
  const { commands } = await ask("commands", { member: state.member, channel: state.channel });
  state.commands = commands;
  emit("commands");
}

export async function switchTo({ member = state.member, channel = state.channel }) {
  const wasDirect = state.channel === `@${state.member}`;
  state.member = member;
  state.channel = wasDirect && channel === state.channel ? `@${member}` : channel;
  state.replyTo = null;
  keepChannelVisible();
  state.unread.delete(state.channel);
  localStorage.setItem("playground:member", state.member);
  localStorage.setItem("playground:channel", state.channel);
  emit("place");
  await Promise.all([loadMessages(), loadCommands()]);
}

/** Handle one event of the stream. */
export function receive(kind, data) {
  if (kind.startsWith("message_")) receiveMessage(kind, data);
  else if (kind === "status") {
    Object.assign(state, data);
    emit("status");
  } else if (kind === "commands") loadCommands();
  else if (kind === "channels") {
    state.channels = data.channels;
    const before = state.channel;
    keepChannelVisible();
    emit("place");
    if (before !== state.channel) loadMessages();
  } else if (kind === "typing" && data.channel === state.channel) {
    state.typingUntil = Date.now() + 8000;
    emit("typing");
  } else if (kind === "interaction") emit("interaction", data);
}

function receiveMessage(kind, message) {
  if (message.visible_to && message.visible_to !== state.member) return;
  if (message.channel !== state.channel) {
    if (kind !== "message_create") return;
    state.unread.add(message.channel);
    emit("unread");
    return;
  }
  const at = state.messages.findIndex((known) => known.id === message.id);
  if (kind === "message_delete") {
    if (at >= 0) state.messages.splice(at, 1);
    if (state.replyTo?.id === message.id) setReply(null);
    for (const other of state.messages) {
      if (other.reference?.message_id !== message.id) continue;
      other.reference.exists = false;
      emit("message", other);
    }
    emit("message-gone", message);
    return;
  }
  if (at >= 0) state.messages[at] = message;
  else state.messages.push(message);
  if (message.author.bot) state.typingUntil = 0;
  emit("message", message);
  for (const other of state.messages) {
    if (other.reference?.message_id !== message.id || other.reference.content === message.content) continue;
    other.reference.content = message.content;
    emit("message", other);
  }
  emit("typing");
}

export function setReply(message) {
  state.replyTo = message;
  emit("reply");
}
