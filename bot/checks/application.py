"""Checks of the application's settings in the developer portal: visibility, installation, intents."""

import discord

from bot.checks.findings import Finding, fail, ok, warn
from bot.client import INTENTS
from bot.discord_api.permissions import NEEDED, permission_words

# In a server the bot sends messages with files attached, as replies to requests.
NEEDED_PERMISSIONS = discord.Permissions(**dict.fromkeys(NEEDED, True))
SCOPES = ("bot", "applications.commands")
_PORTAL = "https://discord.com/developers/applications"


def missing_names(owned: discord.Permissions) -> list[str]:
    """Return the needed permissions that are missing from ``owned``."""
    return [name for name in NEEDED if not getattr(owned, name)]


def application_finding(application: discord.AppInfo) -> Finding:
    """Report who may add the bot, and whether its interactions reach it."""
    if application.interactions_endpoint_url:
        return fail(
            "application",
            f"{application.name} sends interactions to a web address, so commands and buttons never reach this bot.",
            f"Clear “Interactions Endpoint URL” at {_PORTAL}/{application.id}/information.",
        )
    who = "anybody may add it to a server" if application.bot_public else "only its owner may add it to a server"
    return ok("application", f"{application.name} ({application.id}); {who}.")


def installation_finding(application: discord.AppInfo) -> Finding:
    """Report whether the application can be added to servers and its install link requests what the bot needs."""
    if application.bot_require_code_grant:
        return fail(
            "installation",
            "The application requires an OAuth2 code grant, so the invite link cannot add it.",
            f"Switch “Requires OAuth2 Code Grant” off at {_PORTAL}/{application.id}/bot.",
        )
    page = f"{_PORTAL}/{application.id}/installation"
    for_servers, for_users = application.guild_integration_config, application.user_integration_config
    if for_users is not None and for_servers is None:
        return fail("installation", "The application cannot be added to servers.", f"Tick “Guild Install” at {page}.")
    params = for_servers.oauth2_install_params if for_servers is not None else application.install_params
    if params is None:
        return ok("installation", "The application can be added to servers with the link below.")
    lacking = [scope for scope in SCOPES if scope not in params.scopes]
    names = [] if params.permissions.administrator else missing_names(params.permissions)
    if lacking or names:
        what = ", ".join([*(f"the scope {scope}" for scope in lacking), *([permission_words(names)] if names else [])])
        return warn(
            "installation",
            f"Discord's own install link does not ask for {what}.",
            f"Add that to the default install settings at {page}, or use the link below.",
        )
    return ok("installation", "The application can be added to servers, and its install link asks for what is needed.")


def user_installs_finding(application: discord.AppInfo) -> Finding:
    """Report whether members can install the application to their accounts, which USER_INSTALLS asks for."""
    if application.user_integration_config is None:
        return warn(
            "user installs",
            "USER_INSTALLS is on, but the application cannot be installed to accounts.",
            f"Tick “User Install” at {_PORTAL}/{application.id}/installation and restart the bot.",
        )
    url = discord.utils.oauth_url(application.id, scopes=("applications.commands",))
    return ok("user installs", f"Members install it to their account with {url}&integration_type=1")


def intents_finding(application: discord.AppInfo) -> Finding:
    """Report which privileged intents are enabled; none is needed."""
    flags = application.flags
    privileged = {
        "Message Content": flags.gateway_message_content or flags.gateway_message_content_limited,
        "Server Members": flags.gateway_guild_members or flags.gateway_guild_members_limited,
        "Presence": flags.gateway_presence or flags.gateway_presence_limited,
    }
    needed = INTENTS.message_content or INTENTS.members or INTENTS.presences
    assert not needed, "the sentences below say that no privileged intent is needed"
    on = [name for name, is_on in privileged.items() if is_on]
    if on:
        which = "it" if len(on) == 1 else "them"
        return ok(
            "intents",
            f"{', '.join(on)}: on but not needed. The bot needs no privileged intents, so you can switch {which} off.",
        )
    return ok("intents", "No privileged intents are needed, and none are on.")


def invite_finding(application: discord.AppInfo) -> Finding:
    """Return the invite link, which requests exactly the permissions that the bot needs."""
    url = discord.utils.oauth_url(application.id, permissions=NEEDED_PERMISSIONS, scopes=SCOPES)
    return ok("invite", f"Add the bot to a server with {url}")
