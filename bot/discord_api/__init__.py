"""Facts about Discord's API: addresses, permissions, errors, and retries."""
