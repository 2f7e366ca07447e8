"""Settings, limits and budgets as lists, each with the layer that decides it."""

from collections.abc import Mapping

from bot.escaping import escape_text
from bot.orders.allowances import NO_LIMIT, Allowance, Budget
from bot.orders.layers import NUMBERS, Layers
from bot.replies import OPTION_NAMES, SET_BY
from bot.storage.defaults import Layer
from bot.storage.role_limits import RoleLimit
from generation.samplers import SAMPLERS


def setting_name(name: str) -> str:
    """Return the name of a default or limit in commands and tables."""
    if name == "models":
        return "allowed models"
    plain = name.removeprefix("max_")
    shown = OPTION_NAMES.get(plain, plain)
    return f"max_{shown}" if plain != name else shown


def settings_table(layers: Layers, problem: str | None = None) -> str:
    """List every default and limit with the layer that decides it, and the reason if nothing can be generated."""
    lines = ["**Settings here**"]
    lines.extend(_number_line(layers, name) for name in NUMBERS)
    model = layers.model()
    if model is not None:
        lines.append(f"• model: **{model.value}** ({_whose(model.layer)})")
    if layers.wanted("size") is not None:
        lines.append(_number_line(layers, "size"))
    if (sampler := layers.wanted("sampler")) is not None:
        lines.append(f"• sampler: **{SAMPLERS[sampler.value].title}** ({_whose(sampler.layer)})")
    if (negative_prompt := layers.wanted("negative_prompt")) is not None:
        lines.append(f"• negative_prompt: {escape_text(negative_prompt.value)} ({_whose(negative_prompt.layer)})")
    for layer, values in layers.layers:
        if "models" in values:
            lines.append(f"• allowed models: {', '.join(values['models'])} ({_whose(layer)})")
    if problem is not None:
        lines.append(f"⚠️ {problem}")
    return "\n".join(lines)


def _number_line(layers: Layers, name: str) -> str:
    default, wanted, limit = layers.default(name), layers.wanted(name), layers.limit(name)
    shown = "the model's own" if default is None else f"**{default.value:g}** ({_whose(default.layer)})"
    if default is not None and wanted is not None and wanted != default and wanted.layer is not Layer.MODEL:
        shown = f"**{default.value:g}** instead of {wanted.value:g} ({_whose(wanted.layer)})"
    at_most = "" if limit is None else f", at most {limit.value:g} ({_whose(limit.layer)})"
    return f"• {setting_name(name)}: {shown}{at_most}"


def _whose(layer: Layer) -> str:
    # A member's own settings are shown only to that member.
    return "from you" if layer is Layer.MEMBER else f"from the {layer}"


def limits_table(guild_id: int, limits: Mapping[int, RoleLimit], operator: Allowance) -> str:
    """List what each role of a server may do, and what the operator allows everywhere."""
    lines = ["**Limits by role** (if a member has several roles, the most generous limits count)"]
    for role_id, limit in limits.items():
        name = "@everyone" if role_id == guild_id else f"<@&{role_id}>"
        lines.append(f"• {name}: {limit_words(limit)}")
    if not limits:
        lines.append("• none yet: use `/limits set`")
    if operator != NO_LIMIT:
        words = limit_words(
            RoleLimit(
                cooldown_seconds=operator.cooldown_seconds or None,
                daily_budget_seconds=operator.daily_budget_seconds or None,
            )
        )
        lines.append(f"The operator's limits for everybody: {words}.")
    return "\n".join(lines)


def budget_used(budget: Budget) -> str:
    """Say how much of a daily budget is used."""
    return (
        f"-# You've used {round(budget.used_seconds)} of your {budget.seconds} s of painting time for 24 hours"
        f" ({SET_BY[budget.layer]})."
    )


def limit_words(limit: RoleLimit) -> str:
    """Describe a role's limits, as far as they are set."""
    words = []
    if limit.may_ask is not None:
        words.append("may ask" if limit.may_ask else "may not ask")
    if (pause := limit.cooldown_seconds) is not None:
        words.append(f"{pause} s between two requests" if pause else "no wait between requests")
    if (budget := limit.daily_budget_seconds) is not None:
        words.append(f"{budget} s of painting in 24 hours" if budget else "no daily budget")
    return ", ".join(words)
