"""What moderators are told, and what they do about it: notices, their buttons, the trail."""
