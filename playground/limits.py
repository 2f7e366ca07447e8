"""Discord's limits in one place. Each is from Discord's documentation; the page is named beside it."""

MEBIBYTE = 1024 * 1024

ACKNOWLEDGE_SECONDS = 3.0  # interactions/receiving-and-responding
INTERACTION_TOKEN_SECONDS = 15 * 60.0  # interactions/receiving-and-responding
USER_INSTALL_FOLLOWUPS = 5  # interactions/receiving-and-responding, "Followup Messages"
DEFAULT_FILE_BYTES = 10 * MEBIBYTE  # reference, "Uploading Files"
REQUEST_BYTES = 25 * MEBIBYTE  # resources/message, "Create Message"
FILES_PER_MESSAGE = 10  # resources/message

CONTENT_CHARACTERS = 2000  # resources/message, "Create Message"
NONCE_CHARACTERS = 25  # resources/message, "Create Message"
NONCE_WINDOW_SECONDS = 5 * 60.0  # resources/message: "the past few minutes"; the exact length is not documented
EMBEDS_PER_MESSAGE = 10
EMBED_CHARACTERS = 6000  # resources/message, "Embed Limits": over all embeds of a message
COMPONENTS_PER_MESSAGE = 40  # components/reference
ACTION_ROWS = 5  # components/reference, messages without the Components V2 flag
CUSTOM_ID_CHARACTERS = 100  # components/reference
AUTOCOMPLETE_CHOICES = 25  # interactions/application-commands

COMMAND_CHARACTERS = 8000  # interactions/application-commands
GLOBAL_CHAT_COMMANDS = 100
GLOBAL_MENU_COMMANDS = 15

CDN_URL_SECONDS = 24 * 60 * 60.0  # undocumented ("preset"); about a day was observed

GLOBAL_REQUESTS_PER_SECOND = 50  # topics/rate-limits
HEARTBEAT_MILLISECONDS = 41_250  # the interval that Discord's gateway was observed to send
GATEWAY_EVENTS = 120  # topics/gateway: events that a connection may send in ...
GATEWAY_EVENTS_SECONDS = 60.0
GATEWAY_PAYLOAD_BYTES = 4096
REPLAYED_EVENTS = 1000
HISTORY_MESSAGES = 100  # resources/message, "Get Channel Messages"

PREMIUM_TIER_BYTES = {0: 10 * MEBIBYTE, 2: 50 * MEBIBYTE, 3: 100 * MEBIBYTE}
