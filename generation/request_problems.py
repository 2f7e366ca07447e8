"""What is wrong with a request: the sentence for each reason of InvalidRequest."""

from collections.abc import Mapping
from typing import Any

from generation.units import plain_number

_FIELDS: Mapping[str, str] = {
    "prompt": "the prompt",
    "negative_prompt": "the negative prompt",
    "strength": "the strength",
    "guidance_scale": "the guidance scale",
    "num_inference_steps": "the number of steps",
    "seed": "the seed",
    "count": "the number of pictures",
    "max_pixels": "the size",
    "sampler": "the sampler",
    "adapter": "the adapter",
    "adapter_weight": "the adapter's weight",
    "strength_schedule": "the strength schedule",
    "repaint": "the option `repaint`",
}


def invalid_request_sentence(field: str, reason: str, data: Mapping[str, Any]) -> str:
    """Return what is wrong with a field of a request; see InvalidRequest for the reasons."""
    name = _FIELDS.get(field, field.replace("_", " "))
    name = name[0].upper() + name[1:]
    match reason:
        case "empty":
            return f"{name} is empty. Please write what the new picture should show."
        case "too_long":
            return f"{name} has {data['value']:,} characters. Please shorten it to {data['high']:,}."
        case "not_used":
            return f"The model {data['model']} doesn't use {name[0].lower()}{name[1:]}. Please leave it out."
        case "unknown":
            return f"{name} must be one of {', '.join(data['known'])}."
        case "not_for_model" if field == "repaint":  # a reply repeats it, so that it cannot be left out
            model = data["model"]
            return f"{model} can't repaint parts of a picture alone. Please choose another model, or `repaint: all`."
        case "not_for_model":
            return f"{name} can't be chosen for {data['model']}. Please leave it out."
        case "nothing_transparent":
            return "Your picture has no transparent parts to repaint. Please send one with some, or repaint everything."
        case "twice":
            return "An adapter can't be named twice."
        case "too_many":
            return f"At most {data['high']} adapters can be combined."
        case "no_number":
            return f"{name} must be a number, such as 0.8."
        case "no_ladder":
            return "The strengths of a ladder must increase, with one for each picture."
        case "too_few_rungs":
            return "A ladder needs at least two pictures of different strengths. Please choose one strength instead."
        case "zero_steps":
            return "So few steps at such a low strength would change nothing. Please raise the steps or the strength."
    if field == "max_pixels":  # users choose the side of a square, not its area
        low, high = (round(data[key] ** 0.5) for key in ("low", "high"))
    else:
        low, high = data["low"], data["high"]
    return f"{name} must be from {plain_number(low)} to {plain_number(high)}."
