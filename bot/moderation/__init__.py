"""Tools for moderators: notices, their buttons, and the audit trail."""
