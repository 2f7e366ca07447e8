"""Facts about Discord's API: addresses, permissions, troubles, and requests that are sent again."""
