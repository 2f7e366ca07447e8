// Start the page: load the current state, then follow the events.

import { ask, listen } from "./api.js";
import { interactionChanged } from "./commands.js";
import { startComposer } from "./composer.js";
import { keepRelativeTimes } from "./markdown.js";
import { startMessages } from "./messages.js";
import { startSidebar } from "./sidebar.js";
import { emit, load, loadCommands, loadMessages, on, receive, state } from "./store.js";

startSidebar();
startMessages();
startComposer();
keepRelativeTimes();
on("interaction", interactionChanged);

const last = await load();
emit("place");
await Promise.all([loadMessages(), loadCommands()]);
listen(last, {
  event: receive,
  lost: () => {
    state.online = false;
    emit("status");
  },
  back: async () => {
    state.online = true;
    emit("status");
    if ((await ask("state")).guild.id !== state.guild.id) location.reload(); // another stand-in now has this address
  },
});
